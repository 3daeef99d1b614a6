import {lstatSync, readdirSync, realpathSync} from 'node:fs';
import {join, relative, sep} from 'node:path';
import type {Stats} from 'node:fs';
import {errorCode, Refusal} from './failure.ts';

/** What stands at a path, without following a link. */
export function statIfThere(path: string): Stats | undefined {
  try {
    return lstatSync(path);
  } catch (error) {
    if (errorCode(error) === 'ENOENT' || errorCode(error) === 'ENOTDIR') {
      return undefined;
    }
    throw error;
  }
}

/** Changes when a file of this directory is written to, comes, goes or is replaced. */
export function stampOf(directory: string): string {
  const names = statIfThere(directory)?.isDirectory() === true ? readdirSync(directory).sort() : [];
  return names.map((name) => {
    const {ino, size, mtimeMs, ctimeMs} = lstatSync(join(directory, name));
    return `${name} ${ino} ${size} ${mtimeMs} ${ctimeMs}`;
  }).join('\n');
}

/** Whether path is root or lies below it, by its text. */
export function isInside(root: string, path: string): boolean {
  const way = relative(root, path);
  return way !== '..' && !way.startsWith(`..${sep}`) && !way.startsWith(sep);
}

/** The mount point's own real path: the one link that is followed, as it was named on the command line. */
export function realRoot(root: string): string {
  const stats = statIfThere(root);
  if (stats === undefined) {
    throw new Refusal('BadUsage', `${root} does not exist: is the volume mounted there?`);
  }
  const real = realpathSync(root);
  if (!lstatSync(real).isDirectory()) {
    throw new Refusal('BadUsage', `${root} is not a directory.`);
  }
  return real;
}

/**
 * The real path of something below root, which need not exist. Links on the way are followed as long as they stay below root;
 * in the last part none is, because it is what gets renamed or written.
 * @param root as named on the command line; `real` is its real path
 * @throws {Refusal} UnsafePath
 */
export function resolveInside(root: string, real: string, path: string): string {
  if (!isInside(root, path)) {
    throw new Refusal('UnsafePath', `${path} is not below ${root}.`);
  }
  const parts = relative(root, path).split(sep).filter((part) => part !== '');
  let current = real;
  for (const [number, part] of parts.entries()) {
    const next = join(current, part);
    if (statIfThere(next)?.isSymbolicLink() !== true) {
      current = next;
      continue;
    }
    if (number === parts.length - 1) {
      throw new Refusal('UnsafePath', `${path} is a symbolic link; name the directory that it leads to.`);
    }
    current = followInside(real, next);
  }
  return current;
}

function followInside(real: string, link: string): string {
  let target: string;
  try {
    target = realpathSync(link);
  } catch (error) {
    throw new Refusal('UnsafePath', `${link} is a symbolic link that leads nowhere: ${errorCode(error) ?? ''}.`);
  }
  if (!isInside(real, target)) {
    throw new Refusal('UnsafePath', `${link} is a symbolic link that leads out of the volume.`);
  }
  return target;
}
