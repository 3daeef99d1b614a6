import assert from 'node:assert/strict';
import fc from 'fast-check';
import {crc32c} from '../../../../src/etcd/wal/crc32c.ts';
import {slowCrc32c} from './writer.ts';

describe('crc32c', () => {
  it('gives the check value of the Castagnoli polynomial', () => {
    assert.equal(crc32c(0, Buffer.from('123456789')), 0xe3069283);
  });

  it('equals a bit-by-bit computation for any data, start value and split', () => {
    fc.assert(fc.property(fc.uint8Array({maxLength: 200}), fc.nat(0xffffffff), fc.nat(200), (data, start, at) => {
      const whole = slowCrc32c(start, data);
      assert.equal(crc32c(start, data), whole);
      assert.equal(crc32c(crc32c(start, data.subarray(0, at)), data.subarray(at)), whole);
    }));
  });

  it('reproduces the record of the format description', () => {
    // Running value 428a36d4, HardState {term 1, vote 0, commit 0x45}; the record carries varint d1b6c5bd0b.
    assert.equal(crc32c(0x428a36d4, Buffer.from('080310001845', 'hex')), 0x0b * 2 ** 28 + (0x3d << 21) + (0x45 << 14) + (0x36 << 7) + 0x51);
  });
});
