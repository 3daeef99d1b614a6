import {createReadStream, lstatSync} from 'node:fs';
import {join} from 'node:path';
import type {Entry} from '../../rebuild/dump.ts';
import {BadDump, scanDump} from '../../rebuild/scan.ts';
import {ContentHash, KeysSeen} from '../../rebuild/source.ts';
import {errorCode, Refusal} from '../failure.ts';
import {realRoot, resolveInside} from '../volume.ts';

const pieceBytes = 1024 * 1024;

/** @throws {Refusal} UnsafePath, NoDump */
export function dumpFile(root: string, path: string): string {
  const file = resolveInside(root, realRoot(root), join(root, path));
  try {
    if (lstatSync(file).isFile()) return file;
  } catch (error) {
    if (errorCode(error) !== 'ENOENT' && errorCode(error) !== 'ENOTDIR') throw error;
    throw new Refusal('NoDump', `there is no file ${path} on it`);
  }
  throw new Refusal('NoDump', `${path} on it is no file`);
}

export const entriesIn = (file: string): AsyncGenerator<Entry, void> => scanDump(createReadStream(file, {highWaterMark: pieceBytes}) as AsyncIterable<Buffer>);

export interface DumpFacts {
  keys: number;
  /** Of keys and values in their order, keyed by the resource's UID. */
  hash: string;
}

/**
 * Reads all of it. Only then may anything be done with it.
 * @param each is told each key; what it gives back is why it may not be there
 * @throws {Refusal} BadDump, with the line; nothing of a value is told
 */
export async function readWhole(file: string, owner: string, each: (key: Buffer) => string | undefined = () => undefined): Promise<DumpFacts> {
  const hash = new ContentHash(owner);
  const seen = new KeysSeen();
  let keys = 0;
  try {
    for await (const entry of entriesIn(file)) {
      const problem = seen.refuse(entry.key) ?? each(entry.key);
      if (problem !== undefined) throw new Refusal('BadDump', problem);
      hash.add(entry);
      keys += 1;
    }
  } catch (error) {
    if (error instanceof BadDump) throw new Refusal('BadDump', error.message);
    throw error;
  }
  return {keys, hash: hash.digest()};
}
