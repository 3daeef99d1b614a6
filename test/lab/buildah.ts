import {join} from 'node:path';
import {run} from './shell.ts';

/** Runs buildah with an image store of its own, so that it neither sees nor changes what else is on the machine. */
export async function buildah(storage: string, args: readonly string[]): Promise<string> {
  const own = ['--root', join(storage, 'root'), '--runroot', join(storage, 'run'), '--storage-driver', 'overlay'];
  return await run('buildah', [...own, ...args]);
}
