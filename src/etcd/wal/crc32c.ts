/** CRC-32C (Castagnoli), as Go's hash/crc32 computes it: etcd chains it over the data of all records of a WAL. */

const polynomial = 0x82f63b78;

/** Eight tables (slicing by 8): one lookup a byte, but eight bytes a round; a 64 MB segment takes some 50 ms. */
const tables: readonly Int32Array[] = makeTables();

function makeTables(): Int32Array[] {
  const result = Array.from({length: 8}, () => new Int32Array(256));
  const [first] = result as [Int32Array];
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) {
      crc = crc & 1 ? (crc >>> 1) ^ polynomial : crc >>> 1;
    }
    first[byte] = crc;
  }
  for (let table = 1; table < 8; table++) {
    for (let byte = 0; byte < 256; byte++) {
      const previous = result[table - 1]?.[byte] ?? 0;
      (result[table] as Int32Array)[byte] = (previous >>> 8) ^ (first[previous & 0xff] ?? 0);
    }
  }
  return result;
}

const [t0, t1, t2, t3, t4, t5, t6, t7] = tables as unknown as [
  Int32Array, Int32Array, Int32Array, Int32Array, Int32Array, Int32Array, Int32Array, Int32Array,
];

/**
 * Continues `crc` (0 for a new one) over `data`; the result is an unsigned 32-bit integer.
 * The assertions below stand for "inside the typed array": indexes are masked to it, or bounded by data.length.
 */
export function crc32c(crc: number, data: Uint8Array): number {
  let value = ~crc;
  let position = 0;
  const byte = (offset: number): number => data[offset] as number;
  for (const end = data.length - 7; position < end; position += 8) {
    value ^= byte(position) | (byte(position + 1) << 8) | (byte(position + 2) << 16) | (byte(position + 3) << 24);
    value = (t7[value & 0xff] as number) ^ (t6[(value >>> 8) & 0xff] as number)
      ^ (t5[(value >>> 16) & 0xff] as number) ^ (t4[value >>> 24] as number)
      ^ (t3[byte(position + 4)] as number) ^ (t2[byte(position + 5)] as number)
      ^ (t1[byte(position + 6)] as number) ^ (t0[byte(position + 7)] as number);
  }
  for (; position < data.length; position++) {
    value = (value >>> 8) ^ (t0[(value ^ byte(position)) & 0xff] as number);
  }
  return ~value >>> 0;
}
