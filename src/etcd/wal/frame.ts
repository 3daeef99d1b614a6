/** Length of a frame's first word, and alignment of frames. */
export const wordBytes = 8;

export interface Frame {
  bodyBytes: number;
  padBytes: number;
}

/**
 * The length word: 56 bits of length; if the body is padded, the high byte is 0x80 | padding.
 * Returns undefined for a word that no etcd writes (padding that does not align the frame, unknown bits).
 */
export function decodeFrame(word: Buffer): Frame | undefined {
  const high = word[7] ?? 0;
  const bodyBytes = word.readUInt32LE(0) + word.readUIntLE(4, 3) * 2 ** 32;
  const padBytes = (wordBytes - (bodyBytes % wordBytes)) % wordBytes;
  return high === (padBytes === 0 ? 0 : 0x80 | padBytes) ? {bodyBytes, padBytes} : undefined;
}
