/** The little of the protobuf wire format that the WAL's messages need: varints and length-delimited fields, others are skipped. */

/** The bytes are not the message that they should be. */
export class WireError extends Error {
  override readonly name = 'WireError';
}

/** Reads the fields of one message in order. Every read stays inside the given bytes, or throws WireError. */
export class FieldReader {
  private readonly bytes: Buffer;
  private position = 0;
  private wireType = 0;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  /** Number of the next field; 0 at the end of the message. */
  next(): number {
    if (this.position >= this.bytes.length) {
      return 0;
    }
    const tag = this.number();
    const field = Math.floor(tag / 8);
    if (field === 0) {
      throw new WireError('field number 0');
    }
    this.wireType = tag % 8;
    return field;
  }

  /** A varint as number; values that a number cannot hold exactly are an error: no index, term or length of a sound WAL is that large. */
  uint(): number {
    this.expect(0);
    return this.number();
  }

  /** A varint of 64 bits, for IDs and votes. */
  uint64(): bigint {
    this.expect(0);
    return this.varint();
  }

  /** A length-delimited field; a view, not a copy. */
  bytesField(): Buffer {
    this.expect(2);
    return this.delimited();
  }

  /** Passes over a field whose value is of no interest. */
  skip(): void {
    switch (this.wireType) {
      case 0:
        this.varint();
        return;
      case 1:
        this.advance(8);
        return;
      case 2:
        this.delimited();
        return;
      case 5:
        this.advance(4);
        return;
      default:
        throw new WireError(`wire type ${this.wireType}`);
    }
  }

  private expect(wireType: number): void {
    if (this.wireType !== wireType) {
      throw new WireError(`wire type ${this.wireType} where ${wireType} belongs`);
    }
  }

  private advance(length: number): void {
    if (length > this.bytes.length - this.position) {
      throw new WireError('field longer than its message');
    }
    this.position += length;
  }

  private delimited(): Buffer {
    const length = this.number();
    const start = this.position;
    this.advance(length);
    return this.bytes.subarray(start, this.position);
  }

  private number(): number {
    let value = 0;
    let scale = 1;
    for (let count = 0; count < 8; count++) {
      const byte = this.byte();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        if (!Number.isSafeInteger(value)) {
          throw new WireError('number beyond 2^53');
        }
        return value;
      }
      scale *= 128;
    }
    throw new WireError('number beyond 2^53');
  }

  private varint(): bigint {
    let value = 0n;
    for (let count = 0; count < 10; count++) {
      const byte = this.byte();
      value |= BigInt(byte & 0x7f) << BigInt(7 * count);
      if (byte < 0x80) {
        if (value >> 64n !== 0n) {
          throw new WireError('varint beyond 64 bits');
        }
        return value;
      }
    }
    throw new WireError('varint longer than 10 bytes');
  }

  private byte(): number {
    const byte = this.bytes[this.position];
    if (byte === undefined) {
      throw new WireError('message cut off');
    }
    this.position++;
    return byte;
  }
}
