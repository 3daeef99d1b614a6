/** The two meta pages of a bbolt file (go.etcd.io/bbolt, internal/common/meta.go; little-endian, as on every platform that etcd supports). */
export interface BoltMeta {
  pageSize: number;
  /** Page of the root bucket. */
  root: bigint;
  /** High water mark: every page in use has a smaller number. */
  pages: bigint;
  txid: bigint;
}

export class BoltError extends Error {
  override readonly name = 'BoltError';
}

const magic = 0xed0cdaed;
const version = 2;
/** A meta stands behind the page header. */
export const metaOffset = 16;
export const metaBytes = 64;
const checksumOffset = 56;
const fnvOffset = 0xcbf29ce484222325n;
const fnvPrime = 0x100000001b3n;

/** FNV-1a, 64 bits. */
export function fnv64a(bytes: Uint8Array): bigint {
  let hash = fnvOffset;
  for (const byte of bytes) {
    hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * fnvPrime);
  }
  return hash;
}

/** The meta in these 64 bytes; a sentence that says why they are none. */
export function decodeMeta(bytes: Buffer): BoltMeta | string {
  if (bytes.length < metaBytes) {
    return 'file too short';
  }
  if (bytes.readUInt32LE(0) !== magic) {
    return 'not a bbolt database';
  }
  if (bytes.readUInt32LE(4) !== version) {
    return `bbolt file version ${bytes.readUInt32LE(4)}`;
  }
  if (bytes.readBigUInt64LE(checksumOffset) !== fnv64a(bytes.subarray(0, checksumOffset))) {
    return 'checksum mismatch';
  }
  return {
    pageSize: bytes.readUInt32LE(8),
    root: bytes.readBigUInt64LE(16),
    pages: bytes.readBigUInt64LE(40),
    txid: bytes.readBigUInt64LE(48),
  };
}

/**
 * The valid meta with the higher transaction ID, as bbolt chooses. Where the first page is damaged, the page size is unknown and the
 * second is looked for at each size that bbolt tries (1 KiB to 32 MiB).
 * @param read at most so many bytes from an offset
 */
export function currentMeta(read: (offset: number, length: number) => Buffer): BoltMeta {
  const first = decodeMeta(read(metaOffset, metaBytes));
  const sizes = typeof first === 'string' ? Array.from({length: 16}, (_, power) => 1024 << power) : [first.pageSize];
  const metas: BoltMeta[] = typeof first === 'string' ? [] : [first];
  for (const size of sizes) {
    const second = decodeMeta(read(size + metaOffset, metaBytes));
    if (typeof second !== 'string' && second.pageSize === size) {
      metas.push(second);
    }
  }
  const [best] = metas.sort((a, b) => (a.txid < b.txid ? 1 : -1));
  if (best === undefined) {
    throw new BoltError(`neither meta page is valid: ${first as string}`);
  }
  return best;
}
