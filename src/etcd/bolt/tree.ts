import {BoltError} from './meta.ts';

/** Reads one page with its overflow pages; bounds and page number are checked by the reader. */
export type ReadPage = (page: bigint) => Buffer;

/** A bucket's content: a tree of pages, or a single page inside the parent's value. */
export interface Bucket {
  root: bigint;
  inline?: Buffer;
}

const headerBytes = 16;
const elementBytes = 16;
const bucketHeaderBytes = 16;
const branchFlag = 0x01;
const leafFlag = 0x02;
const bucketElementFlag = 0x01;
/** A tree of 2^48 pages with two keys a page is not deeper; a cycle is. */
const maxDepth = 48;

interface Element {
  key: Buffer;
  /** Of a leaf. */
  value: Buffer;
  isBucket: boolean;
  /** Of a branch. */
  child: bigint;
}

interface Node {
  leaf: boolean;
  count: number;
  element(index: number): Element;
}

function decodeNode(page: Buffer): Node {
  if (page.length < headerBytes) {
    throw new BoltError('page without a header');
  }
  const flags = page.readUInt16LE(8);
  const count = page.readUInt16LE(10);
  if (flags !== branchFlag && flags !== leafFlag) {
    throw new BoltError(`page ${page.readBigUInt64LE(0)} has flags ${flags}: neither branch nor leaf`);
  }
  if (headerBytes + count * elementBytes > page.length) {
    throw new BoltError(`page ${page.readBigUInt64LE(0)} counts ${count} elements, more than it can hold`);
  }
  const leaf = flags === leafFlag;
  return {leaf, count, element: (index) => (leaf ? leafElement(page, index) : branchElement(page, index))};
}

/** flags u32, pos u32, ksize u32, vsize u32; pos counts from the element itself. */
function leafElement(page: Buffer, index: number): Element {
  const at = headerBytes + index * elementBytes;
  const start = at + page.readUInt32LE(at + 4);
  const middle = start + page.readUInt32LE(at + 8);
  const end = middle + page.readUInt32LE(at + 12);
  if (end > page.length) {
    throw new BoltError(`page ${page.readBigUInt64LE(0)}, element ${index}: longer than its page`);
  }
  const isBucket = (page.readUInt32LE(at) & bucketElementFlag) !== 0;
  return {key: page.subarray(start, middle), value: page.subarray(middle, end), isBucket, child: 0n};
}

/** pos u32, ksize u32, pgid u64. */
function branchElement(page: Buffer, index: number): Element {
  const at = headerBytes + index * elementBytes;
  const start = at + page.readUInt32LE(at);
  const end = start + page.readUInt32LE(at + 4);
  if (end > page.length) {
    throw new BoltError(`page ${page.readBigUInt64LE(0)}, element ${index}: longer than its page`);
  }
  return {key: page.subarray(start, end), value: page.subarray(0, 0), isBucket: false, child: page.readBigUInt64LE(at + 8)};
}

/**
 * Calls visit for every key of the bucket in order, with views of the pages.
 * A corrupt tree ends in BoltError: its depth is bounded, and no page is visited twice.
 */
export function forEach(readPage: ReadPage, bucket: Bucket, visit: (key: Buffer, value: Buffer) => void): void {
  const seen = new Set<bigint>();
  const walk = (node: Node, depth: number): void => {
    for (let index = 0; index < node.count; index++) {
      const element = node.element(index);
      if (node.leaf) {
        visit(element.key, element.value);
        continue;
      }
      if (depth >= maxDepth || seen.has(element.child)) {
        throw new BoltError(`page ${element.child} is reached twice`);
      }
      seen.add(element.child);
      walk(decodeNode(readPage(element.child)), depth + 1);
    }
  };
  walk(rootNode(readPage, bucket), 0);
}

/** The last key of a bucket, read along the right edge of its tree only. */
export function lastKey(readPage: ReadPage, bucket: Bucket): Buffer | undefined {
  let node = rootNode(readPage, bucket);
  for (let depth = 0; depth < maxDepth; depth++) {
    if (node.count === 0) {
      return undefined;
    }
    const last = node.element(node.count - 1);
    if (node.leaf) {
      return last.key;
    }
    node = decodeNode(readPage(last.child));
  }
  throw new BoltError('branch pages without end');
}

/** The buckets of the root bucket that are wanted, by name. */
export function topBuckets(readPage: ReadPage, root: bigint): Map<string, Bucket> {
  const buckets = new Map<string, Bucket>();
  const visitLeaf = (key: Buffer, value: Buffer): void => {
    if (value.length < bucketHeaderBytes) {
      throw new BoltError(`bucket ${key.toString('latin1')} has no header`);
    }
    const page = value.readBigUInt64LE(0);
    // An inline bucket's only page stands behind the header; its elements count from there.
    const inline = page === 0n ? {inline: Buffer.from(value.subarray(bucketHeaderBytes))} : {};
    buckets.set(key.toString('latin1'), {root: page, ...inline});
  };
  forEach(readPage, {root}, visitLeaf);
  return buckets;
}

function rootNode(readPage: ReadPage, bucket: Bucket): Node {
  return decodeNode(bucket.inline ?? readPage(bucket.root));
}
