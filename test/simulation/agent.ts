import type {AgentReport, InspectFacts, PresentData, VolumeFacts} from '../../src/agent/report.ts';
import type {BackendFacts, BackendMember, PendingConfChange} from '../../src/agent/report.ts';
import {parseArguments} from '../../src/agent/arguments.ts';
import type {Arguments} from '../../src/agent/arguments.ts';
import {Ended, prepareForce, refuse, Refused} from './agent-force.ts';
import {lastTerm} from './etcd-data.ts';
import type {Data, Disk} from './etcd-data.ts';
import {snapshotOf} from './snapshots.ts';
import type {StoredSnapshot} from './snapshots.ts';

const volume: VolumeFacts = {freeBytes: 1_000_000_000, dataBytes: 40_960, walBytes: 64_000_000, uid: 0, gid: 0, mode: '0700'};

const backendMember = ({id, name, peerURLs, isLearner}: BackendMember): BackendMember => ({id, name, peerURLs, isLearner});

const backendOf = (data: Data): BackendFacts => ({
  consistentIndex: data.applied, term: data.log[data.applied - 1]?.term ?? 0, revision: data.revision,
  members: data.members.map(backendMember), removed: [...data.removed], sizeBytes: 20_480,
});

function presentFacts(data: Data): PresentData {
  return {
    data: 'Present', ...volume, memberID: data.memberID, clusterID: data.clusterID, term: data.term, vote: '', commit: data.commit,
    index: data.log.length, lastEntryTerm: lastTerm(data), snapshotIndex: 0, snapshotTerm: 0,
    tail: {entries: Math.max(0, data.log.length - Math.max(data.commit, data.applied))}, torn: false,
    backend: backendOf(data),
    pendingConfChanges: data.log.flatMap((entry, at): PendingConfChange[] => {
      if (at < data.applied) return [];
      const place = {index: at + 1, term: entry.term};
      if (entry.add) return [{...place, type: entry.add.isLearner ? 'AddLearnerNode' : 'AddNode', memberID: entry.add.id, name: entry.add.name, peerURLs: entry.add.peerURLs}];
      if (entry.promote !== undefined) return [{...place, type: 'AddNode', memberID: entry.promote, promote: true}];
      return entry.removeMember === undefined ? [] : [{...place, type: 'RemoveNode', memberID: entry.removeMember}];
    }),
  };
}

export function inspectFacts(disk: Disk): InspectFacts {
  return {...contentOf(disk), ...(disk.full === true && {freeBytes: 1_000_000})};
}

function contentOf({member, corrupt}: Disk): InspectFacts {
  if (corrupt !== undefined && member.is === 'data') {
    return {
      data: 'Unreadable', ...volume, corrupt: 'crc mismatch in 0000000000000000-0000000000000000.wal',
      ...(corrupt !== 'whole log' && {memberID: member.data.memberID, clusterID: member.data.clusterID}), ...(corrupt !== 'all' && {backend: backendOf(member.data)}),
    };
  }
  switch (member.is) {
    case 'absent': return {data: 'Empty', ...volume};
    case 'guard': return {data: 'Guarded', guard: {run: member.run}, ...volume};
    case 'data': return presentFacts(member.data);
  }
}

function setAside(disk: Disk, after: Disk['member']): boolean {
  const changed = disk.member.is !== after.is;
  if (disk.member.is === 'data') disk.aside.push(disk.member.data);
  disk.member = after;
  disk.corrupt = undefined;
  return changed;
}

const moved = (disk: Disk) => disk.aside.map((_, at) => ({what: 'data' as const, to: `.quorumrecovery/run/set-aside-${at}`}));

function prepareJoin(args: Arguments, disk: Disk): AgentReport {
  const member = args.member ?? '';
  const own = disk.member.is === 'data' && disk.member.data.memberID === member;
  if (!own) {
    setAside(disk, {is: 'absent'});
    disk.joins.add(args.run);
  }
  return {ok: true, command: 'prepare-join', run: args.run, member, start: own ? 'Restart' : 'Join', moved: moved(disk)};
}

/** Of the database that was read, or nothing. */
function requireDatabase(args: Arguments, {member}: Disk): Data | undefined {
  if (args.database === undefined) return undefined;
  if (member.is !== 'data') return refuse(args, 'NoData', 'there is no database');
  const {applied, revision} = member.data;
  if (applied !== args.expectIndex || revision !== args.expectRevision) return refuse(args, applied < (args.expectIndex ?? 0) ? 'BehindPlan' : 'DataInUse', `the database is at entry ${applied}, revision ${revision}`);
  return member.data;
}

/** Room is made for what is built; the snapshot in the store is found there, or with --database the one is made that it is built from, once. */
function prepareSeed(args: Arguments, disk: Disk, stored: StoredSnapshot | undefined): AgentReport {
  disk.built = undefined;
  if (args.name !== undefined) {
    if (disk.full === true) return refuse(args, 'NoSpace', 'the volume has 1000000 bytes free. Nothing was changed');
    if (stored?.name !== args.name) return refuse(args, 'NoSnapshot', `there is no snapshot ${args.name}`);
    return {ok: true, command: 'prepare-seed', run: args.run, verified: {name: args.name, bytes: 20_512, sha256: args.expectSHA256 ?? ''}};
  }
  const own = disk.own ??= new Map<string, StoredSnapshot>();
  const already = own.has(args.run);
  const data = already ? undefined : requireDatabase(args, disk);
  if (data !== undefined && disk.full === true) return refuse(args, 'NoSpace', 'the volume has 1000000 bytes free. Nothing was changed');
  if (data !== undefined) own.set(args.run, snapshotOf(data, 'survivor.db', ''));
  return {ok: true, command: 'prepare-seed', run: args.run, ...(own.has(args.run) && {snapshot: {path: `.quorumrecovery/${args.run}/survivor.db`, bytes: 20_512, sha256: '00', already}})};
}

/** What was built takes the place of what is there, once for each attempt. */
function seed(args: Arguments, disk: Disk): AgentReport {
  const attempt = args.attempt ?? 1;
  const last = disk.seeded?.get(args.run) ?? 0;
  const facts = {attempt, restored: ['data' as const], files: 3, bytes: 20_480, copiedBytes: 20_480, reflinked: 0};
  if (last > attempt) return refuse(args, 'AttemptSuperseded', `attempt ${last} was begun already`);
  if (last === attempt) return {ok: true, command: 'seed', run: args.run, ...facts, moved: moved(disk), already: true};
  const {built} = disk;
  if (built === undefined) return refuse(args, 'NoData', 'etcdutl has built nothing');
  if (built.memberID !== args.expectMember) return refuse(args, 'MemberMismatch', 'another member was built');
  if (built.clusterID !== args.expectCluster) return refuse(args, 'ClusterMismatch', 'another cluster was built');
  requireDatabase(args, disk);
  setAside(disk, {is: 'absent'});
  disk.member = {is: 'data', data: built};
  disk.built = undefined;
  (disk.seeded ??= new Map<string, number>()).set(args.run, attempt);
  return {ok: true, command: 'seed', run: args.run, ...facts, moved: moved(disk), already: false};
}

/** Beside an etcd that may be running: what the run kept goes, and it can force nothing any more. */
function prune(args: Arguments, disk: Disk): AgentReport {
  const already = disk.sealed?.has(args.run) === true;
  (disk.sealed ??= new Set()).add(args.run);
  disk.copies.delete(args.run);
  disk.aside = [];
  return {ok: true, command: 'prune', run: args.run, runs: [{run: args.run, files: 3, bytes: 20_480, already}], files: 3, bytes: 20_480, already};
}

/** What a member that serves gives of what it has applied. */
function snapshot(args: Arguments, disk: Disk, serves: boolean): AgentReport {
  if (!serves || disk.member.is !== 'data') return refuse(args, 'EtcdUnreachable', 'the etcd cannot be read from');
  const {revision, applied} = disk.member.data;
  return {ok: true, command: 'snapshot', run: args.run, path: `.quorumrecovery/${args.run}/snapshot.db`, bytes: 20_512, sha256: '00', revision, consistentIndex: applied, already: false, milliseconds: 1};
}

/** How the disk is used while the agent runs: by an etcd that holds its lock, and by one that answers. */
export interface Use {
  inUse: boolean;
  serves: boolean;
  /** What the store holds, for who reaches it. */
  stored?: StoredSnapshot | undefined;
}

function run(args: Arguments, disk: Disk, {serves, stored}: Use, ends: () => boolean): AgentReport {
  switch (args.command) {
    case 'inspect': return {ok: true, command: 'inspect', run: args.run, ...inspectFacts(disk)};
    case 'set-aside': {
      if (disk.joins.has(args.run)) return refuse(args, 'Conflict', 'a member has joined on this volume in this run');
      const changed = setAside(disk, {is: 'guard', run: args.run});
      return {ok: true, command: 'set-aside', run: args.run, moved: moved(disk), guarded: true, already: !changed};
    }
    case 'prepare-join': return prepareJoin(args, disk);
    case 'prepare-force': return prepareForce(args, disk, inspectFacts(disk), ends);
    case 'prune': return prune(args, disk);
    case 'snapshot': return snapshot(args, disk, serves);
    case 'prepare-seed': return prepareSeed(args, disk, stored);
    case 'seed': return seed(args, disk);
    case 'copy': case 'spend': case 'seal': case 'restore-copy': return refuse(args, 'BadUsage', 'the operator does not use it');
  }
}

/**
 * The volume agent: its own parser of the command line, the effect of each command on the disk, its report.
 * @throws {Ended} `ends` said so
 */
export function runAgent(argv: readonly string[], disk: Disk, use: Use, ends: () => boolean = () => false): {report: AgentReport; args: Arguments | undefined} {
  try {
    const args = parseArguments(argv);
    if (use.inUse && !['inspect', 'prune', 'snapshot'].includes(args.command)) refuse(args, 'DataInUse', 'an etcd holds the lock of the backend');
    return {args, report: run(args, disk, use, ends)};
  } catch (error) {
    if (error instanceof Refused) return {args: undefined, report: error.report};
    if (error instanceof Ended) throw error;
    return {args: undefined, report: {ok: false, command: 'inspect', reason: 'BadUsage', message: (error as Error).message}};
  }
}
