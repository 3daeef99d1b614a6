import assert from 'node:assert/strict';
import fc from 'fast-check';
import {encodeHardState} from '../../../../src/etcd/wal/encode.ts';
import {decodeFrame} from '../../../../src/etcd/wal/frame.ts';
import {decodeHardState, decodeRecord} from '../../../../src/etcd/wal/messages.ts';
import {readSegments} from '../../../../src/etcd/wal/wal.ts';
import {asSegments, slowCrc32c, writeWal} from './writer.ts';
import type {WrittenSegment} from './writer.ts';

const uint64 = fc.bigInt({min: 0n, max: 2n ** 64n - 1n});

describe('encodeHardState', () => {
  it('makes the very bytes that etcd writes after a running checksum of 428a36d4', () => {
    const {frame, crc} = encodeHardState({term: 3, vote: '0', commit: 69}, 0x428a36d4);
    assert.equal(frame.toString('hex'), '1000000000000000080310d1b6c5bd0b1a06080310001845');
    assert.equal(crc, slowCrc32c(0x428a36d4, Buffer.from('080310001845', 'hex')));
  });

  it('agrees with another writer on any state', () => {
    fc.assert(fc.property(fc.maxSafeNat(), uint64, fc.maxSafeNat(), (term, vote, commit) => {
      const [segment] = writeWal([{kind: 'state', term, vote, commit}], {preallocate: 0}) as [WrittenSegment];
      const {end} = readSegments(asSegments(writeWal([])));
      const {frame} = encodeHardState({term, vote: vote.toString(16), commit}, end.crc);
      assert.deepEqual(frame, segment.bytes.subarray(end.position.offset));
    }));
  });

  it('is read back as it was, in a frame of whole words', () => {
    fc.assert(fc.property(fc.maxSafeNat(), uint64, fc.maxSafeNat(), fc.nat(0xffffffff), (term, vote, commit, crc) => {
      const state = {term, vote: vote.toString(16), commit};
      const record = encodeHardState(state, crc);
      assert.equal(record.frame.length % 8, 0);
      const frame = decodeFrame(record.frame.subarray(0, 8));
      const read = decodeRecord(record.frame.subarray(8, 8 + (frame?.bodyBytes ?? 0)));
      assert.equal(read.type, 3);
      assert.equal(read.crc, record.crc);
      assert.deepEqual(decodeHardState(read.data), state);
    }));
  });
});
