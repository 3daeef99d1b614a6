import type {V1Pod} from '@kubernetes/client-node';
import type {AgentReport} from '../../src/agent/report.ts';
import {parseStoreArguments} from '../../src/agent/store/arguments.ts';
import {backupStep} from '../../src/api/progress.ts';
import {marks} from '../../src/api/types.ts';
import {Violation} from './invariants.ts';
import type {World} from './world.ts';

/** `spec` of a resource whose snapshots go somewhere that no model has to know. */
export const backedUp = {snapshot: {s3: {bucket: 'backups', region: 'r', forcePathStyle: false}}, backups: {interval: '60s', keepLast: 3}};

export const isSaver = (pod: V1Pod): boolean => pod.metadata?.annotations?.[marks.step] === backupStep;

/** The agent that saves: its own parser of the command line, and what the member that it is sent to has. A store fails now and then. */
export function saveSnapshot(world: World, [command = '', ...words]: readonly string[]): AgentReport {
  const args = parseStoreArguments(command === 'store-save' ? command : 'store-list', words);
  const head = {command: 'store-save', run: args.run} as const;
  if (world.random.chance(0.1)) return {...head, ok: false, reason: 'StoreUnreachable', message: 'no store today'};
  const source = [...world.etcd.processes].find(({data, serving, node}) => data.memberID === args.member && serving && world.machines.get(node)?.connected === true);
  if (source === undefined) return {...head, ok: false, reason: 'EtcdUnreachable', message: `member ${args.member ?? ''} does not answer`};
  const {revision, members} = source.data;
  if (revision < (args.atLeast ?? 0)) throw new Violation(`member ${args.member ?? ''} is at revision ${revision}, and was at ${args.atLeast ?? 0} when it was picked`);
  return {
    ...head, ok: true, removed: [], kept: 1, milliseconds: 1,
    snapshot: {name: args.name ?? '', takenAt: new Date(world.now).toISOString(), bytes: 1, recorded: true, sha256: '', revision, members: members.map(({id}) => id), ...(args.cluster !== undefined && {clusterID: args.cluster})},
  };
}

/** How many pods that save were made. */
export function countSavers(world: World): {made: number} {
  const count = {made: 0};
  world.store.onChange(({kind, type, object}) => {
    if (kind === 'Pod' && type === 'ADDED' && isSaver(object as V1Pod)) count.made += 1;
  });
  return count;
}
