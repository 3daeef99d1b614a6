import {fnv64a} from '../../../../src/etcd/bolt/meta.ts';
import type {BoltFile} from '../../../../src/etcd/bolt/file.ts';

/** Builds bbolt files page by page for tests, after bbolt's own description of its pages. */

export const pageSize = 1024;

export interface Leaf {
  key: string | Buffer;
  value: Buffer;
  bucket?: boolean;
}

function header(id: bigint, flags: number, count: number, overflow = 0): Buffer {
  const bytes = Buffer.alloc(16);
  bytes.writeBigUInt64LE(id, 0);
  bytes.writeUInt16LE(flags, 8);
  bytes.writeUInt16LE(count, 10);
  bytes.writeUInt32LE(overflow, 12);
  return bytes;
}

/** A leaf page without its final padding: what an inline bucket holds behind its header, too. */
export function leaf(id: number, items: readonly Leaf[], overflow = 0): Buffer {
  const elements: Buffer[] = [];
  const data: Buffer[] = [];
  let position = items.length * 16;
  for (const [number, {key, value, bucket}] of items.entries()) {
    const element = Buffer.alloc(16);
    const keyBytes = Buffer.from(key);
    element.writeUInt32LE(bucket === true ? 1 : 0, 0);
    element.writeUInt32LE(position - number * 16, 4);
    element.writeUInt32LE(keyBytes.length, 8);
    element.writeUInt32LE(value.length, 12);
    elements.push(element);
    data.push(keyBytes, value);
    position += keyBytes.length + value.length;
  }
  return Buffer.concat([header(BigInt(id), 2, items.length, overflow), ...elements, ...data]);
}

export function branch(id: number, children: readonly {key: Buffer; page: number}[]): Buffer {
  const elements: Buffer[] = [];
  let position = children.length * 16;
  for (const [number, {key, page}] of children.entries()) {
    const element = Buffer.alloc(16);
    element.writeUInt32LE(position - number * 16, 0);
    element.writeUInt32LE(key.length, 4);
    element.writeBigUInt64LE(BigInt(page), 8);
    elements.push(element);
    position += key.length;
  }
  return Buffer.concat([header(BigInt(id), 1, children.length), ...elements, ...children.map(({key}) => key)]);
}

/** A bucket's value in its parent: its root page, or page 0 and the page itself. */
export function bucketAt(page: number): Buffer {
  const bytes = Buffer.alloc(16);
  bytes.writeBigUInt64LE(BigInt(page), 0);
  return bytes;
}

export function inlineBucket(items: readonly Leaf[]): Buffer {
  return Buffer.concat([bucketAt(0), leaf(0, items)]);
}

export function metaPage(id: 0 | 1, root: number, pages: number, txid: number): Buffer {
  const meta = Buffer.alloc(64);
  meta.writeUInt32LE(0xed0cdaed, 0);
  meta.writeUInt32LE(2, 4);
  meta.writeUInt32LE(pageSize, 8);
  meta.writeBigUInt64LE(BigInt(root), 16);
  meta.writeBigUInt64LE(2n, 32);
  meta.writeBigUInt64LE(BigInt(pages), 40);
  meta.writeBigUInt64LE(BigInt(txid), 48);
  meta.writeBigUInt64LE(fnv64a(meta.subarray(0, 56)), 56);
  return Buffer.concat([header(BigInt(id), 4, 0), meta]);
}

/** A file of these pages in order; longer pages take their overflow, undefined leaves a page of zeros. */
export function boltBytes(pages: readonly (Buffer | undefined)[]): Buffer {
  return Buffer.concat(pages.map((page) => {
    const bytes = page ?? Buffer.alloc(0);
    const size = Math.max(1, Math.ceil(bytes.length / pageSize)) * pageSize;
    return Buffer.concat([bytes, Buffer.alloc(size - bytes.length)]);
  }));
}

export function boltFile(bytes: Buffer, onRead: () => void = () => undefined): BoltFile {
  return {
    size: () => bytes.length,
    read: (offset, length) => {
      onRead();
      return Buffer.from(bytes.subarray(offset, offset + length));
    },
    close: () => undefined,
  };
}

export function uint64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(value));
  return bytes;
}

/** A key of etcd's `key` bucket. */
export function revision(main: number, sub = 0): Buffer {
  return Buffer.concat([uint64(main), Buffer.from('_'), uint64(sub)]);
}
