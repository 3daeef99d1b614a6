/** One member of a tar archive. */
export interface TarEntry {
  /** Without a leading slash. */
  path: string;
  kind: 'file' | 'directory' | 'link';
  mode: number;
  content?: Buffer;
  /** Where a symbolic link points to. */
  target?: string;
}

const blockSize = 512;
const typeFlags = {file: '0', link: '2', directory: '5'} as const;

/** A POSIX ustar archive; owner root, time 0, so that equal entries make equal bytes. */
export function tar(entries: readonly TarEntry[]): Buffer {
  const blocks = entries.flatMap((entry) => {
    const content = entry.content ?? Buffer.alloc(0);
    return [header(entry, content.length), content, Buffer.alloc((blockSize - (content.length % blockSize)) % blockSize)];
  });
  return Buffer.concat([...blocks, Buffer.alloc(2 * blockSize)]);
}

/** Entries for every directory above the given ones, each once and before what is in it. */
export function withParents(entries: readonly TarEntry[]): TarEntry[] {
  const seen = new Set(entries.filter((entry) => entry.kind === 'directory').map((entry) => entry.path));
  return entries.flatMap((entry) => {
    const parts = entry.path.split('/');
    const missing = parts
      .slice(0, -1)
      .map((_, index) => parts.slice(0, index + 1).join('/'))
      .filter((path) => !seen.has(path));
    for (const path of missing) seen.add(path);
    return [...missing.map((path): TarEntry => ({path, kind: 'directory', mode: 0o755})), entry];
  });
}

function header(entry: TarEntry, size: number): Buffer {
  const block = Buffer.alloc(blockSize);
  const path = entry.kind === 'directory' ? `${entry.path}/` : entry.path;
  if (Buffer.byteLength(path) > 100) throw new Error(`${path} is too long for a ustar archive`);
  const octal = (value: number, offset: number, length: number): void => {
    block.write(`${value.toString(8).padStart(length - 1, '0')}\0`, offset, 'latin1');
  };
  block.write(path, 0, 'utf8');
  octal(entry.mode, 100, 8);
  octal(0, 108, 8);
  octal(0, 116, 8);
  octal(size, 124, 12);
  octal(0, 136, 12);
  block.write(typeFlags[entry.kind], 156, 'latin1');
  block.write(entry.target ?? '', 157, 'utf8');
  block.write('ustar\x0000', 257, 'latin1');
  // The checksum is that of the header with spaces in its own place.
  block.fill(' ', 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}
