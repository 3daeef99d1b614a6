import type {V1Pod} from '@kubernetes/client-node';
import {parseDumpArguments} from '../../src/agent/dump/arguments.ts';
import type {AgentReport, DumpCommand} from '../../src/agent/report.ts';
import {newDisk} from './etcd-data.ts';
import type {World} from './world.ts';

/** The claim that holds a dump, and what is in it. */
export const dumpClaim = 'dumps';

export const usesDump = (pod: V1Pod): boolean => pod.spec?.volumes?.some(({persistentVolumeClaim}) => persistentVolumeClaim?.claimName === dumpClaim) === true;

/** A claim that any node can mount. */
export function addDump(world: World, entries: Record<string, string>): void {
  world.store.create('PersistentVolumeClaim', {apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata: {name: dumpClaim, namespace: 'db'}, spec: {volumeName: 'pv-dumps', accessModes: ['ReadWriteMany']}});
  world.makeVolume('pv-dumps', undefined, dumpClaim);
  world.disks.set('pv-dumps', newDisk('pv-dumps', undefined));
  world.dump = new Map(Object.entries(entries));
}

/**
 * The agent on a dump: some of its keys are written, and then all of them, as it may be ended in between.
 * @param ends it is ended half-way
 */
export function runDumpAgent(world: World, argv: readonly string[], ends: () => boolean): AgentReport | 'ended' {
  const [command = '', ...rest] = argv;
  const args = parseDumpArguments(command as DumpCommand, rest);
  const entries = [...world.dump ?? []];
  const facts = {keys: entries.length, hash: `sha256-${JSON.stringify(entries).length}`};
  const {run} = args;
  if (command === 'dump-check') return {ok: true, command, run, sources: args.sources.flatMap(({name, claim}) => (claim === undefined ? [] : [{name, ...facts}])), overlaps: []};
  const leader = [...world.etcd.processes].find((process) => world.etcd.leads(process) && process.data.clusterID === args.cluster);
  if (leader === undefined) return {ok: false, command: command as DumpCommand, run, reason: 'EtcdUnreachable', message: 'no leader'};
  if (command === 'dump-compare') {
    const wrong = entries.find(([key, value]) => leader.data.keys.get(key) !== value);
    return {ok: true, command, run, ...facts, ...(wrong !== undefined && {wrong: `key ${wrong[0]} has another value`})};
  }
  for (const [at, [key, value]] of entries.entries()) {
    if (at === 1 && ends()) return 'ended';
    if (world.etcd.propose(leader, {put: {key, value}}) === undefined) return {ok: false, command: 'dump-load', run, reason: 'EtcdUnreachable', message: 'a write was refused'};
  }
  return {ok: true, command: 'dump-load', run, ...facts};
}
