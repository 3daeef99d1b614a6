import {existsSync, mkdirSync, readFileSync, readdirSync, rmdirSync, statSync, writeFileSync} from 'node:fs';
import {dirname, join} from 'node:path';
import {setTimeout as delay} from 'node:timers/promises';

const mountPoint = '/sys/fs/cgroup';

/** What all labs are under, relative to each hierarchy's root. */
export const labsCgroup = 'quorum-recovery-lab';

/** True for the unified hierarchy (version 2). */
export function isUnified(): boolean {
  return existsSync(join(mountPoint, 'cgroup.controllers'));
}

/** Every hierarchy of version 1, without links such as cpu → cpu,cpuacct; the one hierarchy of version 2. */
function hierarchies(): string[] {
  if (isUnified()) return [mountPoint];
  return readdirSync(mountPoint, {withFileTypes: true})
    .filter((entry) => entry.isDirectory() && entry.name !== 'unified')
    .map((entry) => join(mountPoint, entry.name))
    .filter((directory) => existsSync(join(directory, 'cgroup.procs')));
}

/** Makes a cgroup (relative to the root, such as `a/b`) that a kubelet can put its pods into. */
export function makeCgroup(path: string): void {
  for (const hierarchy of hierarchies()) {
    for (const part of pathsDownTo(path)) {
      const directory = join(hierarchy, part);
      if (isUnified()) enableControllers(dirname(directory));
      mkdirSync(directory, {recursive: true});
      copyCpuset(directory);
    }
    if (isUnified()) enableControllers(join(hierarchy, path));
  }
}

/**
 * All pods together count for as much as eight processes. They would count for one, on a machine where the control plane goes before everything else: the
 * pods of a real cluster have processors of their own.
 */
export function weighLabs(): void {
  const [file, weight] = isUnified() ? ['cpu.weight', '800'] : ['cpu.shares', '8192'];
  for (const hierarchy of hierarchies()) {
    const path = join(hierarchy, labsCgroup, file);
    if (existsSync(path)) writeFileSync(path, weight);
  }
}

/**
 * Removes a cgroup and all below it. Its processes have ended, but the kernel can need a moment to let go of them. Beside
 * version 1 there can be a unified hierarchy without controllers, in which runc makes cgroups too.
 */
export async function removeCgroup(path: string): Promise<void> {
  for (const hierarchy of [...hierarchies(), join(mountPoint, 'unified')]) {
    for (let attempt = 0; !removeTree(join(hierarchy, path)); attempt += 1) {
      if (attempt === 50) throw new Error(`the cgroup ${join(hierarchy, path)} still holds processes`);
      await delay(100);
    }
  }
}

function pathsDownTo(path: string): string[] {
  const parts = path.split('/');
  return parts.map((_, index) => parts.slice(0, index + 1).join('/'));
}

/** In version 1 a new cpuset is empty, and nothing can run in it until it has processors and memory nodes. */
function copyCpuset(directory: string): void {
  for (const file of ['cpuset.cpus', 'cpuset.mems']) {
    if (isUnified() || !existsSync(join(directory, file))) continue;
    if (readFileSync(join(directory, file), 'utf8').trim() !== '') continue;
    writeFileSync(join(directory, file), readFileSync(join(dirname(directory), file), 'utf8'));
  }
}

function enableControllers(directory: string): void {
  const controllers = readFileSync(join(directory, 'cgroup.controllers'), 'utf8').trim().split(' ');
  for (const controller of controllers.filter((name) => name !== '')) {
    writeFileSync(join(directory, 'cgroup.subtree_control'), `+${controller}`);
  }
}

function removeTree(directory: string): boolean {
  if (!existsSync(directory)) return true;
  const children = readdirSync(directory, {withFileTypes: true}).filter((entry) => entry.isDirectory());
  const emptied = children.map((child) => removeTree(join(directory, child.name))).every(Boolean);
  try {
    if (emptied) rmdirSync(directory);
  } catch {
    return !existsSync(directory);
  }
  return emptied;
}

const isDirectory = (path: string): boolean => statSync(path, {throwIfNoEntry: false})?.isDirectory() === true;

/** The directories in one; none in one that has just gone. */
function under(directory: string): string[] {
  try {
    return readdirSync(directory, {withFileTypes: true}).filter((entry) => entry.isDirectory()).map(({name}) => join(directory, name));
  } catch {
    return [];
  }
}

/**
 * The processes of a pod's containers in any lab, by the pod's UID. Only a few small files are read: a process that lives for a quarter of a
 * second is found, which a look at every process of a busy machine would miss.
 */
export function processesOfPod(uid: string): number[] {
  const root = hierarchies().map((hierarchy) => join(hierarchy, labsCgroup)).find(isDirectory);
  if (root === undefined) return [];
  const pods = under(root).flatMap(under).flatMap((node) => ['', 'burstable', 'besteffort'].map((quality) => join(node, 'kubepods', quality, `pod${uid}`))).filter(isDirectory);
  return pods.flatMap(under).flatMap((container) => {
    try {
      return readFileSync(join(container, 'cgroup.procs'), 'utf8').split('\n').filter((line) => line !== '').map(Number);
    } catch {
      // The container has just gone.
      return [];
    }
  });
}
