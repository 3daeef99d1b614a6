import type {Entry} from './dump.ts';
import {entryOf, isAnswer} from './dump.ts';

/** Nothing of what stands there is told, only where. */
export class BadDump extends Error {
  override readonly name = 'BadDump';
  readonly line: number;

  constructor(line: number) {
    super(`line ${line} is no JSON with a key and a value in base64, or an answer that was cut off`);
    this.line = line;
  }
}

const code = (text: string): number => text.charCodeAt(0);
const at = {quote: code('"'), backslash: code('\\'), open: code('{'), close: code('}'), array: code('['), end: code(']'), newline: code('\n')} as const;
const isSpace = (byte: number): boolean => byte === 0x20 || byte === 0x09 || byte === 0x0a || byte === 0x0d;

/** One key and its value take 1.5 MiB in etcd, a third more in base64, and more where its limit was raised. */
const mostBytes = 64 * 1024 * 1024;

function parse(pieces: readonly Buffer[], line: number): unknown {
  try {
    return JSON.parse(Buffer.concat(pieces).toString('utf8')) as unknown;
  } catch {
    throw new BadDump(line);
  }
}

/**
 * The same as readDump (dump.ts), of a file of any size: each key and value is given as soon as it has been read, and what stands around them is
 * kept without them. A reader has to read to the end before it believes anything: an answer that was cut off shows there.
 */
export class Scanner {
  #line = 1;
  #depth = 0;
  #inText = false;
  #escaped = false;
  /** What opened each level. */
  #opened: number[] = [];
  /** Of the object at the top, without the keys and values in it; and of the one key and value that is being read. */
  #outer: Buffer[] = [];
  #outerBytes = 0;
  #inner: Buffer[] | undefined;
  #innerBytes = 0;
  #beganAt = 1;
  #innerAt = 1;

  /** @throws {BadDump} */
  * push(chunk: Buffer): Generator<Entry, void> {
    let from = 0;
    for (let index = 0; index < chunk.length; index += 1) {
      const byte = chunk[index] ?? 0;
      if (byte === at.newline) this.#line += 1;
      if (this.#inText) {
        this.#text(byte);
        continue;
      }
      if (this.#depth === 0) {
        if (isSpace(byte)) continue;
        if (byte !== at.open) throw new BadDump(this.#line);
        this.#beganAt = this.#line;
        from = index;
      }
      if (byte === at.quote) this.#inText = true;
      else if (byte === at.open || byte === at.array) {
        if (byte === at.open && this.#depth === 2 && this.#opened[1] === at.array) {
          this.#keep(chunk.subarray(from, index));
          this.#inner = [];
          this.#innerAt = this.#line;
          from = index;
        }
        this.#opened.push(byte);
        this.#depth += 1;
      } else if (byte === at.close || byte === at.end) {
        if (this.#opened.pop() !== (byte === at.close ? at.open : at.array)) throw new BadDump(this.#line);
        this.#depth -= 1;
        if (this.#inner !== undefined && this.#depth === 2) {
          this.#keep(chunk.subarray(from, index + 1));
          yield this.#entry();
          this.#keep(Buffer.from('0'));
          from = index + 1;
        } else if (this.#depth === 0) {
          this.#keep(chunk.subarray(from, index + 1));
          yield* this.#top();
        }
      }
    }
    if (this.#depth > 0) this.#keep(chunk.subarray(from));
  }

  /** @throws {BadDump} where it was cut off */
  end(): void {
    if (this.#depth > 0) throw new BadDump(this.#beganAt);
  }

  #text(byte: number): void {
    if (this.#escaped) this.#escaped = false;
    else if (byte === at.backslash) this.#escaped = true;
    else if (byte === at.quote) this.#inText = false;
  }

  #keep(piece: Buffer): void {
    if (this.#inner === undefined) {
      this.#outer.push(Buffer.from(piece));
      this.#outerBytes += piece.length;
    } else {
      this.#inner.push(Buffer.from(piece));
      this.#innerBytes += piece.length;
    }
    if (Math.max(this.#innerBytes, this.#outerBytes) > mostBytes) throw new BadDump(this.#inner === undefined ? this.#beganAt : this.#innerAt);
  }

  #entry(): Entry {
    const entry = entryOf(parse(this.#inner ?? [], this.#innerAt));
    this.#inner = undefined;
    this.#innerBytes = 0;
    if (entry === undefined) throw new BadDump(this.#innerAt);
    return entry;
  }

  * #top(): Generator<Entry, void> {
    const found = parse(this.#outer, this.#beganAt);
    this.#outer = [];
    this.#outerBytes = 0;
    if (isAnswer(found)) return;
    const entry = entryOf(found);
    if (entry === undefined) throw new BadDump(this.#beganAt);
    yield entry;
  }
}

/** @throws {BadDump} */
export async function* scanDump(chunks: AsyncIterable<Buffer>): AsyncGenerator<Entry, void> {
  const scanner = new Scanner();
  for await (const chunk of chunks) yield* scanner.push(chunk);
  scanner.end();
}
