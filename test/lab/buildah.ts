import {join} from 'node:path';
import {run} from './shell.ts';

/**
 * Runs buildah with an image store and a mount namespace of its own: it neither sees nor changes what else is on the
 * machine, and where it is killed, none of its mounts stay.
 */
export async function buildah(storage: string, args: readonly string[]): Promise<string> {
  const own = ['--root', join(storage, 'root'), '--runroot', join(storage, 'run'), '--storage-driver', 'overlay'];
  return await run('unshare', ['--mount', 'buildah', ...own, ...args]);
}
