import {rmSync} from 'node:fs';
import {removeCgroup} from './cgroups.ts';
import type {LabPaths} from './paths.ts';

/** Removes what a lab that has ended left on the machine: mounts, links and processes went with its namespaces, so directories and cgroups. */
export async function removeRemains(paths: LabPaths): Promise<void> {
  await removeCgroup(paths.cgroup);
  rmSync(paths.root, {recursive: true, force: true, maxRetries: 10, retryDelay: 200});
}
