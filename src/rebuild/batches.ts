import type {Entry} from './dump.ts';

/** etcd's defaults are 128 operations a transaction and 1.5 MiB a request (--max-txn-ops, --max-request-bytes); a set may have lower ones. */
const most = {operations: 64, bytes: 256 * 1024};

/** Bytes of a transaction's message beside keys and values, for each of its operations. */
const overhead = 32;

/** The same of entries that come one after the other: none is kept for longer than its transaction takes. */
export async function* inBatches<T extends Entry>(entries: AsyncIterable<T>): AsyncGenerator<T[], void> {
  let batch: T[] = [];
  let bytes = 0;
  for await (const entry of entries) {
    const size = entry.key.length + entry.value.length + overhead;
    if (batch.length > 0 && (batch.length >= most.operations || bytes + size > most.bytes)) {
      yield batch;
      batch = [];
      bytes = 0;
    }
    batch.push(entry);
    bytes += size;
  }
  if (batch.length > 0) yield batch;
}

/** In order, each batch small enough for one transaction. A value that is larger than that alone stands alone. */
export function batches<T extends Entry>(entries: readonly T[]): T[][] {
  const found: T[][] = [];
  let bytes = 0;
  for (const entry of entries) {
    const size = entry.key.length + entry.value.length + overhead;
    const last = found.at(-1);
    if (last === undefined || last.length >= most.operations || bytes + size > most.bytes) {
      found.push([entry]);
      bytes = size;
    } else {
      last.push(entry);
      bytes += size;
    }
  }
  return found;
}
