/** A file or an object of a store. */
export interface StoredObject {
  /** Below the store's path or prefix; without a slash. */
  name: string;
  bytes: number;
  /** When it was written, ms since the epoch. */
  modifiedAt: number;
}

/**
 * Where snapshots are. Names are plain: no slash, and none that begins with a dot.
 * What a store does not do is thrown as a Refusal: StoreUnreachable, StoreRefused, NoSpace.
 */
export interface SnapshotStore {
  /** Which one it is, as part of a sentence. */
  readonly where: string;
  /** Everything that is whole, in no order. */
  list(): Promise<StoredObject[]>;
  /** The content, in pieces. One that is not there is refused as NoSnapshot. */
  read(name: string): AsyncIterable<Buffer>;
  /** The name appears with the whole content, or not at all. Over one that is there. */
  write(name: string, content: AsyncIterable<Buffer>, bytes: number): Promise<void>;
  /** One that is not there is removed already. */
  remove(name: string): Promise<void>;
  /** Takes away what writers that were killed have left of such names; how many it was. */
  clean(isOurs: (name: string) => boolean): Promise<number>;
}

/** The content of a small object. */
export async function readWhole(store: SnapshotStore, name: string, limitBytes = 1 << 20): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of store.read(name)) {
    pieces.push(piece);
    bytes += piece.length;
    if (bytes > limitBytes) break;
  }
  return Buffer.concat(pieces);
}
