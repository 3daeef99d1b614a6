import {crc32c} from './crc32c.ts';
import {wordBytes} from './frame.ts';
import {recordType} from './messages.ts';
import type {HardState} from './messages.ts';

/** What etcd's encoder writes, for the one record that is ever appended here (etcd: server/storage/wal/encoder.go, walpb/record.proto). */

/** A record as it stands in a segment, and the running checksum after it. */
export interface EncodedRecord {
  /** Length word, body and padding. */
  frame: Buffer;
  crc: number;
}

/** A record of a hard state, after records whose running checksum is `crc`. */
export function encodeHardState(state: HardState, crc: number): EncodedRecord {
  // All three are written, zeros too: raftpb's fields are required ones.
  const data = Buffer.concat([uint(1, state.term), uint(2, BigInt(`0x${state.vote}`)), uint(3, state.commit)]);
  const running = crc32c(crc, data);
  const body = Buffer.concat([uint(1, recordType.state), uint(2, running), varint(3 * 8 + 2), varint(data.length), data]);
  return {frame: encodeFrame(body), crc: running};
}

/** The reverse of decodeFrame, with the body: padded, so that the next length word is aligned and no disk writes half of it. */
function encodeFrame(body: Buffer): Buffer {
  const padBytes = (wordBytes - (body.length % wordBytes)) % wordBytes;
  const word = Buffer.alloc(wordBytes);
  word.writeUInt32LE(body.length, 0);
  word[7] = padBytes === 0 ? 0 : 0x80 | padBytes;
  return Buffer.concat([word, body, Buffer.alloc(padBytes)]);
}

function uint(field: number, value: number | bigint): Buffer {
  return Buffer.concat([varint(field * 8), varint(value)]);
}

function varint(value: number | bigint): Buffer {
  const bytes: number[] = [];
  let rest = BigInt(value);
  while (rest >= 0x80n) {
    bytes.push(Number(rest & 0x7fn) | 0x80);
    rest >>= 7n;
  }
  bytes.push(Number(rest));
  return Buffer.from(bytes);
}
