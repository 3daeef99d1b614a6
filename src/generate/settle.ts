import {mkdirSync, readFileSync, writeFileSync} from 'node:fs';
import {dirname, join} from 'node:path';

function current(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

/** Paths, from `root`, of the files that are not as they should be. */
export const staleFiles = (root: string, files: ReadonlyMap<string, string>): string[] =>
  [...files].filter(([path, text]) => current(join(root, path)) !== text).map(([path]) => path);

/** Writes the files that are not as they should be, and returns their paths. */
export function writeStale(root: string, files: ReadonlyMap<string, string>): string[] {
  const stale = staleFiles(root, files);
  for (const path of stale) {
    mkdirSync(dirname(join(root, path)), {recursive: true});
    writeFileSync(join(root, path), files.get(path) ?? '');
  }
  return stale;
}
