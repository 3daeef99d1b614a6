import type {AgentReport, InspectFacts, PresentData, VolumeFacts} from '../../src/agent/report.ts';
import type {BackendMember, PendingConfChange} from '../../src/agent/report.ts';
import {parseArguments} from '../../src/agent/arguments.ts';
import type {Arguments} from '../../src/agent/arguments.ts';
import {copyOf, lastTerm} from './etcd-data.ts';
import type {Data, Disk} from './etcd-data.ts';

const volume: VolumeFacts = {freeBytes: 1_000_000_000, dataBytes: 40_960, walBytes: 64_000_000, uid: 0, gid: 0, mode: '0700'};

const backendMember = ({id, name, peerURLs, isLearner}: BackendMember): BackendMember => ({id, name, peerURLs, isLearner});

function presentFacts(data: Data): PresentData {
  return {
    data: 'Present', ...volume, memberID: data.memberID, clusterID: data.clusterID, term: data.term, vote: '', commit: data.commit,
    index: data.log.length, lastEntryTerm: lastTerm(data), snapshotIndex: 0, snapshotTerm: 0,
    tail: {entries: data.log.length - data.commit}, torn: false,
    backend: {
      consistentIndex: data.applied, term: data.log[data.applied - 1]?.term ?? 0, revision: data.revision,
      members: data.members.map(backendMember), removed: [...data.removed], sizeBytes: 20_480,
    },
    pendingConfChanges: data.log.flatMap((entry, at): PendingConfChange[] => {
      if (at < data.applied) return [];
      const place = {index: at + 1, term: entry.term};
      if (entry.add) return [{...place, type: entry.add.isLearner ? 'AddLearnerNode' : 'AddNode', memberID: entry.add.id, name: entry.add.name, peerURLs: entry.add.peerURLs}];
      if (entry.promote !== undefined) return [{...place, type: 'AddNode', memberID: entry.promote, promote: true}];
      return entry.removeMember === undefined ? [] : [{...place, type: 'RemoveNode', memberID: entry.removeMember}];
    }),
  };
}

export function inspectFacts({member}: Disk): InspectFacts {
  switch (member.is) {
    case 'absent': return {data: 'Empty', ...volume};
    case 'guard': return {data: 'Guarded', guard: {run: member.run}, ...volume};
    case 'data': return presentFacts(member.data);
  }
}

class Refused extends Error {
  readonly report: AgentReport;

  constructor(report: AgentReport) {
    super('refused');
    this.report = report;
  }
}

function refuse(args: Arguments, reason: Extract<AgentReport, {ok: false}>['reason'], message: string): never {
  throw new Refused({ok: false, command: args.command, run: args.run, reason, message});
}

function spend(args: Arguments, disk: Disk): {attempt: number; pod: string; already: boolean} {
  const spent = disk.markers.get(args.run) ?? new Map<number, string>();
  disk.markers.set(args.run, spent);
  const [attempt, pod] = [args.attempt ?? 0, args.pod ?? ''];
  const latest = Math.max(0, ...spent.keys());
  if (latest > attempt) refuse(args, 'AttemptSuperseded', `attempt ${latest} was spent already`);
  const by = spent.get(attempt);
  if (by !== undefined && by !== pod) refuse(args, 'MarkerSpent', `attempt ${attempt} was spent by pod ${by}`);
  spent.set(attempt, pod);
  return {attempt, pod, already: by === pod};
}

function setAside(disk: Disk, after: Disk['member']): boolean {
  const changed = disk.member.is !== after.is;
  if (disk.member.is === 'data') disk.aside.push(disk.member.data);
  disk.member = after;
  return changed;
}

const moved = (disk: Disk) => disk.aside.map((_, at) => ({what: 'data' as const, to: `.quorumrecovery/run/set-aside-${at}`}));

function prepareForce(args: Arguments, disk: Disk): AgentReport {
  const {member} = disk;
  if (member.is === 'guard') return refuse(args, 'Guarded', 'the data was set aside');
  if (member.is === 'absent') return refuse(args, 'NoData', 'there is no etcd data on this volume');
  if (args.expectMember !== undefined && args.expectMember !== member.data.memberID) refuse(args, 'MemberMismatch', `the data is member ${member.data.memberID}'s`);
  if (args.expectCluster !== undefined && args.expectCluster !== member.data.clusterID) refuse(args, 'ClusterMismatch', `the data is of cluster ${member.data.clusterID}`);
  const already = disk.copies.has(args.run);
  if (args.copy && !already) disk.copies.set(args.run, copyOf(member.data));
  return {
    ok: true, command: 'prepare-force', run: args.run, inspect: presentFacts(member.data),
    ...(args.copy && {copy: {path: `.quorumrecovery/${args.run}/copy`, files: 3, bytes: 20_480, copiedBytes: 20_480, manifestSHA256: '00', already, reflinked: 0}}),
    marker: spend(args, disk), milliseconds: {inspect: 1, copy: 1, total: 2},
  };
}

function prepareJoin(args: Arguments, disk: Disk): AgentReport {
  const member = args.member ?? '';
  const own = disk.member.is === 'data' && disk.member.data.memberID === member;
  if (!own) {
    setAside(disk, {is: 'absent'});
    disk.joins.add(member);
  }
  return {ok: true, command: 'prepare-join', run: args.run, member, start: own ? 'Restart' : 'Join', moved: moved(disk)};
}

/** What a member that serves gives of what it has applied. */
function snapshot(args: Arguments, disk: Disk, serves: boolean): AgentReport {
  if (!serves || disk.member.is !== 'data') return refuse(args, 'EtcdUnreachable', 'the etcd cannot be read from');
  const {revision, applied} = disk.member.data;
  return {ok: true, command: 'snapshot', run: args.run, path: `.quorumrecovery/${args.run}/snapshot.db`, bytes: 20_512, sha256: '00', revision, consistentIndex: applied, already: false, milliseconds: 1};
}

function run(args: Arguments, disk: Disk, serves: boolean): AgentReport {
  switch (args.command) {
    case 'inspect': return {ok: true, command: 'inspect', run: args.run, ...inspectFacts(disk)};
    case 'set-aside': {
      const changed = setAside(disk, {is: 'guard', run: args.run});
      return {ok: true, command: 'set-aside', run: args.run, moved: moved(disk), guarded: true, already: !changed};
    }
    case 'prepare-join': return prepareJoin(args, disk);
    case 'prepare-force': return prepareForce(args, disk);
    case 'snapshot': return snapshot(args, disk, serves);
    case 'copy': case 'spend': case 'seal': case 'restore-copy': case 'prune': return refuse(args, 'BadUsage', 'the operator does not use it');
  }
}

/** The volume agent: its own parser of the command line, the effect of each command on the disk, its report. */
export function runAgent(argv: readonly string[], disk: Disk, {inUse, serves}: {inUse: boolean; serves: boolean}): {report: AgentReport; args: Arguments | undefined} {
  try {
    const args = parseArguments(argv);
    if (inUse && args.command !== 'inspect' && args.command !== 'snapshot') refuse(args, 'DataInUse', 'an etcd holds the lock of the backend');
    return {args, report: run(args, disk, serves)};
  } catch (error) {
    if (error instanceof Refused) return {args: undefined, report: error.report};
    return {args: undefined, report: {ok: false, command: 'inspect', reason: 'BadUsage', message: (error as Error).message}};
  }
}
