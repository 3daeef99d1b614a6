import {closeSync, constants, createReadStream, fsyncSync, lstatSync, openSync, readdirSync, writeSync} from 'node:fs';
import {join} from 'node:path';
import {Durable, giveTo} from '../durable.ts';
import {freeBytes} from '../facts.ts';
import {errorCode, isSpaceError, Refusal} from '../failure.ts';
import {realRoot, resolveInside, statIfThere} from '../volume.ts';
import type {StoreConfig} from './config.ts';
import type {SnapshotStore, StoredObject} from './store.ts';

/** Hidden, so that no list has it: the name of a file that is being written. */
const temporaryOf = (name: string): string => `.${name}.partial`;
const nameOfTemporary = /^\.(.+)\.partial$/;

const plainName = /^[^./][^/]*$/;

/** Left free: a volume that is full to the last byte helps nobody. */
const reserveBytes = 16 << 20;

/** Snapshots as files of a volume. A file is written under a hidden name, synced, and renamed. */
export class ClaimStore implements SnapshotStore {
  readonly where: string;
  readonly #directory: string;
  readonly #root: string;
  readonly #durable: Durable;
  readonly #free: (path: string) => number;

  constructor({claim, root, path}: Omit<Extract<StoreConfig, {kind: 'claim'}>, 'kind'>, {onStep, free = freeBytes}: {onStep?: (what: string) => void; free?: (path: string) => number} = {}) {
    this.where = `claim ${claim}${path === undefined ? '' : `, directory ${path}`}`;
    this.#root = realRoot(root);
    this.#directory = path === undefined ? this.#root : resolveInside(root, this.#root, join(root, path));
    const {uid, gid} = lstatSync(this.#root);
    this.#durable = new Durable(onStep, {uid, gid});
    this.#free = free;
  }

  async list(): Promise<StoredObject[]> {
    return await Promise.resolve(this.#names().filter((name) => plainName.test(name)).flatMap((name) => {
      const stats = statIfThere(join(this.#directory, name));
      return stats?.isFile() === true ? [{name, bytes: stats.size, modifiedAt: stats.mtimeMs}] : [];
    }));
  }

  async* read(name: string): AsyncGenerator<Buffer> {
    try {
      const fd = openSync(this.fileOf(name), constants.O_RDONLY | constants.O_NOFOLLOW);
      yield* createReadStream('', {fd, highWaterMark: 1 << 18}) as AsyncIterable<Buffer>;
    } catch (error) {
      if (errorCode(error) === 'ENOENT') throw new Refusal('NoSnapshot', `There is no ${name} in ${this.where}.`);
      throw error;
    }
  }

  async write(name: string, content: AsyncIterable<Buffer>, bytes: number): Promise<void> {
    const path = this.fileOf(name);
    const temporary = join(this.#directory, temporaryOf(name));
    this.#durable.makeDirectory(this.#directory);
    if (statIfThere(temporary) !== undefined) this.#durable.remove(temporary);
    const free = this.#free(this.#directory);
    if (bytes + reserveBytes > free) throw this.#noSpace(bytes + reserveBytes, free);
    try {
      await receive(temporary, content, bytes);
    } catch (error) {
      if (statIfThere(temporary) !== undefined) this.#durable.remove(temporary);
      throw isSpaceError(error) ? this.#noSpace(bytes + reserveBytes, this.#free(this.#directory)) : error;
    }
    giveTo(temporary, lstatSync(this.#root));
    this.#durable.rename(temporary, path);
  }

  async remove(name: string): Promise<void> {
    this.#durable.remove(this.fileOf(name));
    await Promise.resolve();
  }

  async clean(isOurs: (name: string) => boolean): Promise<number> {
    const left = this.#names().filter((name) => isOurs(nameOfTemporary.exec(name)?.[1] ?? ''));
    for (const name of left) this.#durable.remove(join(this.#directory, name));
    return await Promise.resolve(left.length);
  }

  #names(): string[] {
    try {
      return readdirSync(this.#directory);
    } catch (error) {
      // Made by the first snapshot.
      if (errorCode(error) === 'ENOENT') return [];
      throw error;
    }
  }

  /** Where the file is, or would be. */
  fileOf(name: string): string {
    if (!plainName.test(name)) throw new Refusal('BadUsage', `${JSON.stringify(name)} is no name of a snapshot.`);
    return join(this.#directory, name);
  }

  #noSpace(needed: number, free: number): Refusal {
    return new Refusal('NoSpace', `${needed} bytes are needed in ${this.where}, and ${free} are free.`, {neededBytes: needed, freeBytes: free});
  }
}

async function receive(path: string, content: AsyncIterable<Buffer>, bytes: number): Promise<void> {
  const fd = openSync(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, 0o600);
  try {
    let written = 0;
    for await (const piece of content) {
      for (let at = 0; at < piece.length;) at += writeSync(fd, piece, at);
      written += piece.length;
    }
    if (written !== bytes) throw new Refusal('SnapshotDamaged', `${written} of ${bytes} bytes came. Nothing was kept.`);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
