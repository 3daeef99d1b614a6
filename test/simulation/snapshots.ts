import {parseStoreArguments} from '../../src/agent/store/arguments.ts';
import type {AgentFailure, StoreFetchReport} from '../../src/agent/report.ts';
import {clusterIDOfNew, memberIDOfNew} from '../../src/etcd/ids.ts';
import {apply, emptyData} from './etcd-data.ts';
import type {Data, LogEntry, SimMember} from './etcd-data.ts';

/** A snapshot in the store, and the logs that etcdutl has made of it: those of one cluster share their entries. */
export interface StoredSnapshot {
  name: string;
  takenAt: string;
  revision: number;
  clusterID: string;
  members: string[];
  keys: ReadonlyMap<string, string>;
  logs: Map<string, LogEntry[]>;
}

export const snapshotOf = (data: Data, name: string, takenAt: string): StoredSnapshot => ({
  name, takenAt, revision: data.revision, clusterID: data.clusterID, members: data.members.map(({id}) => id), keys: new Map(data.keys), logs: new Map(),
});

const digest = '5a'.repeat(32);

export function fetchReport(snapshot: StoredSnapshot | undefined, args: readonly string[]): StoreFetchReport | AgentFailure<'store-fetch'> {
  // As the agent itself does: a flag that it does not know ends it.
  const {run} = parseStoreArguments('store-fetch', args.slice(1));
  if (snapshot === undefined) return {ok: false, command: 'store-fetch', run, reason: 'NoSnapshot', message: 'the store holds no snapshot', refused: []};
  const {name, takenAt, revision, clusterID, members} = snapshot;
  return {ok: true, command: 'store-fetch', run, snapshot: {name, takenAt, bytes: 20_512, recorded: true, sha256: digest, revision, clusterID, members}, already: false, refused: [], milliseconds: 1};
}

/** What `etcdutl snapshot restore` makes of it, by its command line. */
export function restored(snapshot: StoredSnapshot, command: readonly string[]): Data {
  const flag = (name: string): string => command.find((word) => word.startsWith(`--${name}=`))?.slice(name.length + 3) ?? '';
  const token = flag('initial-cluster-token');
  const peers = new Map<string, string[]>();
  for (const one of flag('initial-cluster').split(',')) {
    const at = one.indexOf('=');
    peers.set(one.slice(0, at), [...peers.get(one.slice(0, at)) ?? [], one.slice(at + 1)]);
  }
  const members = [...peers].map(([name, peerURLs]): SimMember => ({id: memberIDOfNew(peerURLs, token), name, peerURLs, isLearner: false}));
  const clusterID = clusterIDOfNew(members.map(({id}) => id));
  const own = members.find(({name}) => name === flag('name'));
  if (own === undefined) throw new Error(`${flag('name')} is not in the initial cluster`);
  const data = emptyData(own.id, clusterID, `restored-${clusterID}`);
  data.term = 1;
  data.log = [...snapshot.logs.get(clusterID) ?? logOf(snapshot, members, Number(flag('bump-revision')))];
  snapshot.logs.set(clusterID, data.log.slice());
  data.commit = data.log.length;
  apply(data);
  return data;
}

function logOf({keys, revision}: StoredSnapshot, members: readonly SimMember[], bump: number): LogEntry[] {
  const puts = [...keys].map(([key, value]): LogEntry => ({term: 1, put: {key, value, times: 1}}));
  const target = revision + bump;
  return [...members.map((member): LogEntry => ({term: 1, add: {...member}})), ...puts, {term: 1, put: {key: 'moved', value: '', times: target - 1 - puts.length}}];
}
