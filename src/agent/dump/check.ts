import {readdirSync, readFileSync} from 'node:fs';
import {join} from 'node:path';
import {entriesOf} from '../../rebuild/source.ts';
import type {RebuildSource} from '../../api/rebuild.ts';
import {keyInWords} from '../../rebuild/words.ts';
import {Refusal} from '../failure.ts';
import type {DumpCheckReport} from '../report.ts';
import type {DumpArguments} from './arguments.ts';
import {dumpFile, readWhole} from './file.ts';

const mostNamed = 5;
const clipped = (text: string): string => (text.length > 200 ? `${text.slice(0, 200)}…` : text);

/** Fields of a ConfigMap or Secret as the kubelet mounts them: its own names begin with two dots. */
function fieldsIn(directory: string): Map<string, Buffer> {
  return new Map(readdirSync(directory).filter((name) => !name.startsWith('..')).map((name) => [name, readFileSync(join(directory, name))]));
}

/** Who writes each key, and which are written by two. */
class Owners {
  readonly #owners = new Map<string, string>();
  readonly overlaps: string[] = [];

  take(name: string, key: Buffer): void {
    const id = key.toString('latin1');
    const owner = this.#owners.get(id);
    if (owner === undefined) this.#owners.set(id, name);
    else if (owner !== name && this.overlaps.length < mostNamed) this.overlaps.push(clipped(`${owner} and ${name} both write key ${keyInWords(key)}`));
  }
}

async function checkOne(source: RebuildSource, directory: string, owner: string, owners: Owners): Promise<DumpCheckReport['sources'][number] | undefined> {
  const {name, claim, path = ''} = source;
  if (claim === undefined) {
    const entries = entriesOf(source, fieldsIn(directory));
    // What is wrong with it the operator says itself.
    if (Array.isArray(entries)) for (const {key} of entries) owners.take(name, key);
    return undefined;
  }
  try {
    return {name, ...await readWhole(dumpFile(directory, path), owner, (key) => {
      owners.take(name, key);
      return undefined;
    })};
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return {name, problem: clipped(error.message)};
  }
}

/** Reads every dump to its end, and tells how much is in it, what is wrong with it, and which keys two sources write. Nothing of a value. */
export async function dumpCheck({run, root, owner, sources}: DumpArguments): Promise<DumpCheckReport> {
  const owners = new Owners();
  const found: DumpCheckReport['sources'] = [];
  for (const source of sources) {
    const facts = await checkOne(source, join(root, source.name), owner, owners);
    if (facts !== undefined) found.push(facts);
  }
  return {ok: true, command: 'dump-check', run, sources: found, overlaps: owners.overlaps};
}
