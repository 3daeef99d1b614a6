import {createHash, createHmac} from 'node:crypto';
import type {RebuildSource} from '../api/rebuild.ts';
import {marks} from '../api/types.ts';
import type {KubernetesClient} from '../kubernetes/client.ts';
import {isForbidden} from '../kubernetes/errors.ts';
import type {Entry} from './dump.ts';
import {readDump} from './dump.ts';
import {keyInWords, sourceInWords} from './words.ts';

/** What a source says now: for the act that loads it. Values go nowhere else. */
export interface SourceContent {
  entries: Entry[];
  /** Of all keys and values, to tell one state of it from another. That of a Secret is keyed by its UID, so that nobody guesses a password by it. */
  hash: string;
}

interface Fields {
  uid: string;
  fields: Map<string, Buffer>;
}

const decoded = (data: Record<string, string> = {}): [string, Buffer][] => Object.entries(data).map(([field, value]) => [field, Buffer.from(value, 'base64')]);

async function fieldsOf(client: KubernetesClient, namespace: string, {configMap, secret}: RebuildSource): Promise<Fields | undefined> {
  if (configMap !== undefined) {
    const object = await client.get('ConfigMap', namespace, configMap);
    if (object === undefined) return undefined;
    const texts = Object.entries(object.data ?? {}).map(([field, value]): [string, Buffer] => [field, Buffer.from(value)]);
    return {uid: '', fields: new Map([...texts, ...decoded(object.binaryData)])};
  }
  const object = await client.get('Secret', namespace, secret ?? '');
  return object === undefined ? undefined : {uid: object.metadata?.uid ?? '', fields: new Map(decoded(object.data))};
}

export function entriesOf(source: RebuildSource, fields: Map<string, Buffer>): Entry[] | {problem: string} {
  const {keyPrefix = '', key, field, dump} = source;
  const chosen = field === undefined ? [...fields].sort(([a], [b]) => (a < b ? -1 : 1)) : [...fields].filter(([one]) => one === field);
  if (chosen.length === 0) return {problem: field === undefined ? 'it has no field' : `it has no field ${field}`};
  if (!dump) return chosen.map(([one, value]) => ({key: Buffer.from(key ?? `${keyPrefix}${one}`), value}));
  const entries: Entry[] = [];
  for (const [one, value] of chosen) {
    const found = readDump(value.toString('utf8'));
    if (!Array.isArray(found)) return {problem: `field ${one}: ${found.problem}`};
    entries.push(...found);
  }
  return entries;
}

/** Of keys and values in their order. `uid`: what it is keyed by; empty: nothing. */
export class ContentHash {
  readonly #hash: {update: (bytes: Buffer | string) => unknown; digest: (encoding: 'hex') => string};

  constructor(uid: string) {
    this.#hash = uid === '' ? createHash('sha256') : createHmac('sha256', uid);
  }

  add({key, value}: Entry): void {
    for (const bytes of [key, value]) {
      this.#hash.update(`${bytes.length}:`);
      this.#hash.update(bytes);
    }
  }

  digest(): string {
    return `sha256-${this.#hash.digest('hex').slice(0, 32)}`;
  }
}

function hashOf(entries: readonly Entry[], uid: string): string {
  const hash = new ContentHash(uid);
  for (const entry of entries) hash.add(entry);
  return hash.digest();
}

/** Why these keys cannot be written by one source, told of the first that cannot. */
export class KeysSeen {
  readonly #seen = new Set<string>();

  /** undefined: it is a new key, and nobody else's. */
  refuse(key: Buffer): string | undefined {
    const id = key.toString('latin1');
    if (this.#seen.has(id)) return `it names key ${keyInWords(key)} twice`;
    if (key.toString() === marks.probeKey) return `it names key ${marks.probeKey}, which is the operator's own`;
    this.#seen.add(id);
    return undefined;
  }
}

/** Reads a ConfigMap's, a Secret's or a dump's keys and values. Errors of the API server but a refusal are thrown. */
export async function readSource(client: KubernetesClient, namespace: string, source: RebuildSource): Promise<SourceContent | {problem: string}> {
  try {
    const found = await fieldsOf(client, namespace, source);
    if (found === undefined) return {problem: `there is no ${sourceInWords(source)}`};
    const entries = entriesOf(source, found.fields);
    if (!Array.isArray(entries)) return entries;
    const seen = new KeysSeen();
    for (const {key} of entries) {
      const problem = seen.refuse(key);
      if (problem !== undefined) return {problem};
    }
    return {entries, hash: hashOf(entries, found.uid)};
  } catch (error) {
    if (!isForbidden(error)) throw error;
    return {problem: `the operator may not read it: ${error.message}`};
  }
}
