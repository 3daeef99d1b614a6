import {closeSync, constants, fstatSync, openSync, readSync} from 'node:fs';
import {BoltError, currentMeta} from './meta.ts';
import type {BoltMeta} from './meta.ts';
import type {ReadPage} from './tree.ts';

/** Random access to a database file. */
export interface BoltFile {
  size(): number;
  /** At most `length` bytes; fewer at the end of the file. */
  read(offset: number, length: number): Buffer;
  close(): void;
}

const attempts = 50;
const headerBytes = 16;

export function openBolt(path: string): BoltFile {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  return {
    size: () => fstatSync(fd).size,
    read(offset, length) {
      const bytes = Buffer.allocUnsafe(length);
      let filled = 0;
      while (filled < length) {
        const count = readSync(fd, bytes, filled, length - filled, offset + filled);
        if (count === 0) {
          break;
        }
        filled += count;
      }
      return bytes.subarray(0, filled);
    },
    close() {
      closeSync(fd);
    },
  };
}

/**
 * Runs `query` on one consistent state of the database, without a lock, also beside a process that writes to it.
 *
 * bbolt never changes a page that the last committed transaction N reaches: transaction N+1 writes only to pages that are free in N, and
 * pages that N+1 frees are reused at the earliest by N+2, which begins after N+1's meta page is written. So what was read from N's pages
 * is N's content if the highest valid meta is still N afterwards. Otherwise, error or not, it is read again.
 */
export function withSnapshot<T>(file: BoltFile, query: (readPage: ReadPage, meta: BoltMeta) => T): T {
  let problem: BoltError | undefined;
  for (let attempt = 0; attempt < attempts; attempt++) {
    const meta = currentMeta((offset, length) => file.read(offset, length));
    let result: {value: T} | undefined;
    try {
      result = {value: query(pageReader(file, meta), meta)};
    } catch (error) {
      if (!(error instanceof BoltError)) {
        throw error;
      }
      problem = error;
    }
    if (currentMeta((offset, length) => file.read(offset, length)).txid === meta.txid) {
      if (result === undefined) {
        break;
      }
      return result.value;
    }
  }
  throw problem ?? new BoltError(`the database was written to during each of ${attempts} attempts to read it`);
}

function pageReader(file: BoltFile, meta: BoltMeta): ReadPage {
  const {pageSize} = meta;
  if (pageSize < 512 || pageSize > 1 << 26) {
    throw new BoltError(`page size ${pageSize}`);
  }
  const pages = Math.min(Number(meta.pages), Math.ceil(file.size() / pageSize));
  return (page) => {
    const number = Number(page);
    // Pages 0 and 1 are the meta pages.
    if (number < 2 || number >= pages) {
      throw new BoltError(`page ${page} is outside the file`);
    }
    const first = file.read(number * pageSize, pageSize);
    if (first.length < headerBytes || first.readBigUInt64LE(0) !== page) {
      throw new BoltError(`page ${page} does not carry its own number`);
    }
    const overflow = first.readUInt32LE(12);
    if (overflow === 0) {
      return first;
    }
    if (overflow > pages - number - 1) {
      throw new BoltError(`page ${page} overflows beyond the file`);
    }
    return file.read(number * pageSize, (overflow + 1) * pageSize);
  };
}
