import {existsSync, readFileSync, writeFileSync} from 'node:fs';
import {dirname, join} from 'node:path';
import {isUnified} from '../lab/cgroups.ts';
import {labOf, processesOf} from './faults.ts';
import type {Scenario} from './scenario.ts';

const volumes = '/var/local';
const mountPoint = '/sys/fs/cgroup';

/** Gives each of these nodes a disk of its own for its volumes. @returns the block devices (major:minor), by node */
export async function ownDisks(scenario: Scenario, nodes: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const make = `truncate -s 600M ${volumes}/disk.img && mkfs.ext4 -q -F ${volumes}/disk.img && mount -o loop ${volumes}/disk.img ${volumes} && mountpoint -d ${volumes}`;
  return new Map(await Promise.all(nodes.map(async (node): Promise<[string, string]> => [node, (await labOf(scenario).onNode(node, make)).trim()])));
}

/** Where a limit on a process's writes is set: its container's cgroup, in the unified hierarchy the nearest one above it that has the controller. */
function limitOf(pid: number): {file: string; line: (device: string, writes: number) => string} {
  const lines = readFileSync(`/proc/${pid}/cgroup`, 'utf8').split('\n');
  const path = (controller: string): string => lines.find((line) => line.split(':')[1]?.split(',').includes(controller))?.split(':')[2] ?? '';
  if (!isUnified()) {
    return {file: join(mountPoint, 'blkio', path('blkio'), 'blkio.throttle.write_iops_device'), line: (device, writes) => `${device} ${writes}`};
  }
  let directory = join(mountPoint, path(''));
  while (!existsSync(join(directory, 'io.max')) && directory !== mountPoint) directory = dirname(directory);
  return {file: join(directory, 'io.max'), line: (device, writes) => `${device} wiops=${writes === 0 ? 'max' : writes}`};
}

/** So many writes a second and no more reach the disks of these members; 0: as many as they like. */
export async function limitWrites(scenario: Scenario, devices: ReadonlyMap<string, string>, names: readonly string[], writes: number): Promise<void> {
  for (const pod of (await scenario.pods()).filter(({metadata}) => names.includes(metadata?.name ?? ''))) {
    const device = devices.get(pod.spec?.nodeName ?? '') ?? '';
    const pids = processesOf(pod, '/usr/local/bin/etcd');
    if (pids.length === 0) throw new Error(`no etcd runs in ${pod.metadata?.name ?? ''}`);
    for (const pid of pids) {
      const {file, line} = limitOf(pid);
      writeFileSync(file, line(device, writes));
    }
  }
}
