import {
  chownSync, closeSync, constants, fstatSync, fsyncSync, ftruncateSync, linkSync, mkdirSync, openSync, renameSync, rmdirSync, rmSync, unlinkSync,
  writeFileSync, writeSync,
} from 'node:fs';
import {dirname} from 'node:path';
import type {FileStep} from '../etcd/wal/append.ts';
import {errorCode} from './failure.ts';
import {statIfThere} from './volume.ts';

export interface Owner {
  uid: number;
  gid: number;
}

const noHardLinks = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK']);

/** Makes what happened to a directory's entries survive a power cut. */
export function syncDirectory(path: string): void {
  const fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/**
 * The only way in which commands change a volume. Every change is on the disk when the call returns.
 * `onStep` is told before each system call that changes something; tests stop there, as a kill would.
 */
export class Durable {
  private readonly onStep: (what: string) => void;
  private readonly owner: Owner | undefined;

  /** @param owner who shall own what is made, where this process may give it away: etcd often runs as another user */
  constructor(onStep: (what: string) => void = () => undefined, owner?: Owner) {
    this.onStep = onStep;
    this.owner = owner;
  }

  makeDirectory(path: string, mode = 0o700): void {
    if (statIfThere(path)?.isDirectory() === true) {
      return;
    }
    this.makeDirectory(dirname(path), mode);
    this.onStep(`mkdir ${path}`);
    mkdirSync(path, {mode});
    this.give(path);
    syncDirectory(dirname(path));
  }

  /** Puts a whole file in place at once, over a file that is there. `temporary` is on the same volume and holds nothing else. */
  writeFile(path: string, content: string, temporary = `${path}.tmp`): void {
    this.writeNew(temporary, content);
    this.rename(temporary, path);
  }

  /** False if something is there already. The file appears with its content or not at all. */
  createFile(path: string, content: string, temporary: string): boolean {
    this.writeNew(temporary, content);
    this.onStep(`link ${path}`);
    try {
      linkSync(temporary, path);
    } catch (error) {
      this.remove(temporary);
      if (errorCode(error) === 'EEXIST') {
        return false;
      }
      if (!noHardLinks.has(errorCode(error) ?? '')) {
        throw error;
      }
      return this.createPlain(path, content);
    }
    syncDirectory(dirname(path));
    this.remove(temporary);
    return true;
  }

  /** False if something is there already. Without content it takes no block. */
  createEmpty(path: string): boolean {
    this.onStep(`create ${path}`);
    return this.createPlain(path, '');
  }

  /**
   * Where the file system has no hard links: still created by one process only, but a kill in between leaves it without its content.
   * Readers take such a file as somebody else's.
   */
  private createPlain(path: string, content: string): boolean {
    try {
      writeFileSync(path, content, {flag: 'wx', mode: 0o600, flush: true});
    } catch (error) {
      if (errorCode(error) === 'EEXIST') {
        return false;
      }
      throw error;
    }
    this.give(path);
    syncDirectory(dirname(path));
    return true;
  }

  rename(from: string, to: string): void {
    this.onStep(`rename ${from} to ${to}`);
    renameSync(from, to);
    syncDirectory(dirname(to));
    if (dirname(from) !== dirname(to)) {
      syncDirectory(dirname(from));
    }
  }

  /** A file that may be gone already. */
  remove(path: string): void {
    this.onStep(`unlink ${path}`);
    try {
      unlinkSync(path);
    } catch (error) {
      if (errorCode(error) !== 'ENOENT') {
        throw error;
      }
    }
    syncDirectory(dirname(path));
  }

  /** False if there is something in it, which stays. */
  removeEmptyDirectory(path: string): boolean {
    this.onStep(`rmdir ${path}`);
    try {
      rmdirSync(path);
    } catch (error) {
      if (errorCode(error) === 'ENOTEMPTY' || errorCode(error) === 'EEXIST') {
        return false;
      }
      throw error;
    }
    syncDirectory(dirname(path));
    return true;
  }

  /** Changes bytes of a regular file that is there, step by step; what counts is on the disk because the last step syncs. */
  changeFile(path: string, steps: readonly FileStep[]): void {
    const fd = openSync(path, constants.O_WRONLY | constants.O_NOFOLLOW);
    try {
      if (!fstatSync(fd).isFile()) {
        throw new Error(`${path} is not a regular file`);
      }
      for (const step of steps) {
        this.onStep(`${step.do} ${path}`);
        changeBytes(fd, step);
      }
    } finally {
      closeSync(fd);
    }
  }

  /** A directory that is this agent's alone: it did not finish it, or is pruning it; links in it are removed, not followed. */
  removeTree(path: string): void {
    this.onStep(`remove ${path}`);
    rmSync(path, {recursive: true, force: true});
    syncDirectory(dirname(path));
  }

  private writeNew(path: string, content: string): void {
    // What a killed run left; the new file is then created, never opened through something that stands there.
    rmSync(path, {force: true});
    this.onStep(`write ${path}`);
    const fd = openSync(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, 0o600);
    try {
      writeFileSync(fd, content);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    this.give(path);
  }

  private give(path: string): void {
    giveTo(path, this.owner);
  }
}

function changeBytes(fd: number, step: FileStep): void {
  switch (step.do) {
    case 'resize':
      ftruncateSync(fd, step.size);
      return;
    case 'sync':
      fsyncSync(fd);
      return;
    case 'write':
      for (let written = 0; written < step.bytes.length;) {
        written += writeSync(fd, step.bytes, written, step.bytes.length - written, step.offset + written);
      }
  }
}

/** Changes the owner where this process may; a process that is not root keeps what it makes. */
export function giveTo(path: string, owner: Owner | undefined): void {
  if (owner === undefined) {
    return;
  }
  try {
    chownSync(path, owner.uid, owner.gid);
  } catch (error) {
    if (errorCode(error) !== 'EPERM') {
      throw error;
    }
  }
}
