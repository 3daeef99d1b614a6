import {readdirSync, rmSync, statSync} from 'node:fs';
import {join} from 'node:path';

/** What a directory holds under one name, STEM-HASH or STEM-HASH.tar, the last used first. */
export function newestFirst(directory: string, stem: string): string[] {
  const pattern = new RegExp(`^${stem.replaceAll('.', String.raw`\.`)}-[0-9a-f]{12}(\\.tar)?$`);
  return readdirSync(directory)
    .filter((name) => pattern.test(name))
    .map((name) => ({path: join(directory, name), usedAt: statSync(join(directory, name)).mtimeMs}))
    .sort((a, b) => b.usedAt - a.usedAt)
    .map(({path}) => path);
}

/** Keeps those of one name that were used last. */
export function removeOlder(directory: string, stem: string, keep: number): void {
  for (const path of newestFirst(directory, stem).slice(keep)) rmSync(path, {recursive: true});
}

/** Removes whatever nobody used for that many days, except lock files, which somebody may hold. */
export function removeUnused(directory: string, days: number): void {
  const oldest = Date.now() - days * 24 * 3600 * 1000;
  for (const name of readdirSync(directory).filter((entry) => !entry.endsWith('lock'))) {
    const path = join(directory, name);
    if (statSync(path).mtimeMs < oldest) rmSync(path, {recursive: true, force: true});
  }
}
