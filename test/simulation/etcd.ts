import type {Random} from './random.ts';
import {clusterIDOfNew, memberIDOfNew} from '../../src/etcd/ids.ts';
import {apply, emptyData, lastTerm, quorumOf, votersOf} from './etcd-data.ts';
import type {Data, Disk, LogEntry, SimMember} from './etcd-data.ts';

/** How a container starts etcd, as far as the model asks. */
export interface Start {
  podUID: string;
  /** Name of the pod object: an own pod's, or a helper's. */
  podName: string;
  /** The set's pod that it is or works for. */
  ordinal: string;
  helper: boolean;
  node: string;
  disk: Disk;
  name: string;
  force: boolean;
  state: string;
  token: string;
  peerURLs: string[];
  /** Member name → peer URLs. */
  initialCluster: Record<string, string[]>;
}

export interface Process extends Start {
  data: Data;
  leader: string;
  /** It had a leader since its start: it serves clients. */
  serving: boolean;
  startedAt: number;
  how: 'restart' | 'force' | 'new' | 'existing';
}

export class StartFailed extends Error {}

/** Bootstraps of one template write the same first entries; everything else is itself only. */
const sameEntry = (a: LogEntry | undefined, b: LogEntry | undefined) =>
  a === b || (a?.term === 1 && b?.term === 1 && a.add !== undefined && a.add.id === b.add?.id);

/** All etcd processes that run, and what they say to each other (raft's rules: terms, logs, votes, commit). */
/** The token of the template's own bootstrap. */
export const templateToken = 't';

export class Etcd {
  readonly processes = new Set<Process>();
  readonly #random: Random;
  readonly #now: () => number;
  /** Nodes that are cut off: they reach each other, and nobody else. */
  readonly #cut: (node: string) => boolean;
  #lineages = 0;
  /** What every member says that it is. */
  version = '3.6.16';
  /** Entries that a leader saw on a quorum: what they hold was acknowledged, or may have been. */
  readonly committed = new WeakSet<LogEntry>();
  /** When the last process of a member ended, virtual ms. */
  readonly endedAt = new Map<string, number>();
  /** An operator asks for a member to be removed. */
  onRemove: (memberID: string) => void = () => undefined;
  onStart: (process: Process) => void = () => undefined;
  onPanic: (process: Process) => void = () => undefined;

  constructor(random: Random, now: () => number, cut: (node: string) => boolean) {
    this.#random = random;
    this.#now = now;
    this.#cut = cut;
  }

  /** @throws {StartFailed} etcd exits on what it finds. */
  start(start: Start): Process {
    const {disk} = start;
    if (disk.member.is === 'guard') throw new StartFailed('mkdir member: not a directory');
    const process: Process = {
      ...start, data: emptyData('', '', ''), leader: '', serving: false, startedAt: this.#now(), how: 'restart',
    };
    if (disk.corrupt !== undefined) throw new StartFailed('walpb: crc mismatch');
    if (disk.member.is === 'data') {
      process.data = disk.member.data;
      if (start.force) this.#force(process);
      if (process.data.removed.includes(process.data.memberID)) throw new StartFailed('the member has been permanently removed from the cluster');
    } else if (start.state === 'existing' && !start.force) {
      this.#joinExisting(process);
    } else {
      this.#bootstrap(process);
    }
    disk.member = {is: 'data', data: process.data};
    this.processes.add(process);
    this.onStart(process);
    return process;
  }

  stop(process: Process): void {
    this.processes.delete(process);
    this.endedAt.set(process.data.memberID, this.#now());
    for (const other of this.processes) if (other.leader === process.data.memberID) other.leader = '';
  }

  /** What is beyond the commit index is dropped, every other member is removed; IDs stay (etcd server/etcdserver/bootstrap.go). */
  #force(process: Process): void {
    const {data} = process;
    process.how = 'force';
    data.log = data.log.slice(0, data.commit);
    data.term += 1;
    for (const member of data.members.filter((other) => other.id !== data.memberID)) data.log.push({term: data.term, removeMember: member.id});
    if (!data.members.some((member) => member.id === data.memberID)) {
      data.log.push({term: data.term, add: {id: data.memberID, name: process.name, peerURLs: process.peerURLs, isLearner: false}});
    }
    data.commit = data.log.length;
    data.lineage = `forced-${this.#lineages += 1}`;
    apply(data);
  }

  #bootstrap(process: Process): void {
    const {initialCluster, token, name} = process;
    process.how = 'new';
    const members = Object.values(initialCluster).map((urls): SimMember => ({id: memberIDOfNew(urls, token), name: '', peerURLs: urls, isLearner: false}));
    const own = members.find((member) => member.peerURLs.join() === (initialCluster[name] ?? []).join());
    if (own === undefined) throw new StartFailed(`${name} is not in the initial cluster`);
    const clusterID = clusterIDOfNew(members.map((member) => member.id));
    // Bootstraps of one template make one cluster; a later one on an empty disk is a phantom of it.
    // Under another token it is another cluster.
    const data = emptyData(own.id, clusterID, token === templateToken ? 'template' : `rebuilt-${clusterID}`);
    data.term = 1;
    data.log = members.map((member): LogEntry => ({term: 1, add: {id: member.id, name: '', peerURLs: member.peerURLs, isLearner: false}}));
    data.commit = data.log.length;
    apply(data);
    process.data = data;
  }

  #joinExisting(process: Process): void {
    process.how = 'existing';
    const urls = Object.values(process.initialCluster).flat().sort();
    const remote = [...this.processes].find((other) => this.#connected(process, other)
      && other.ordinal !== process.ordinal && other.peerURLs.some((url) => urls.includes(url)));
    if (remote === undefined) throw new StartFailed('cannot fetch cluster info from peer urls');
    const listed = remote.data.members.flatMap((member) => member.peerURLs).sort();
    if (listed.join() !== urls.join()) throw new StartFailed(`error validating peerURLs: member count is unequal (${listed.length} and ${urls.length})`);
    const own = remote.data.members.find((member) => member.peerURLs.some((url) => process.peerURLs.includes(url)));
    if (own === undefined) throw new StartFailed('this member is not in the list');
    process.data = emptyData(own.id, remote.data.clusterID, remote.data.lineage);
  }

  #connected(a: Start, b: Start): boolean {
    if (a.podUID === b.podUID) return true;
    // A helper pod is outside every Service: no peer finds it.
    if (a.helper || b.helper) return false;
    return this.#cut(a.node) === this.#cut(b.node);
  }

  peersOf(process: Process): Process[] {
    return [...this.processes].filter((other) => other.data.clusterID === process.data.clusterID && this.#connected(process, other));
  }

  #votersReached(process: Process): Process[] {
    const voters = votersOf(process.data).map((member) => member.id);
    return this.peersOf(process).filter((other) => voters.includes(other.data.memberID));
  }

  leads(process: Process): boolean {
    return process.leader !== '' && process.leader === process.data.memberID;
  }

  leaderOf(process: Process): Process | undefined {
    if (process.leader === '') return undefined;
    return this.peersOf(process).find((other) => this.leads(other) && other.data.memberID === process.leader);
  }

  /** Some time passes: leaders step down, elections happen, logs travel, commits are told, members publish their names. */
  tick(): void {
    for (const process of this.processes) {
      const voters = votersOf(process.data).length;
      if (this.leads(process) && this.#votersReached(process).length < quorumOf(voters)) process.leader = '';
      if (process.leader !== '' && this.leaderOf(process) === undefined) process.leader = '';
    }
    for (const process of this.#random.shuffled([...this.processes])) {
      if (process.leader === '' && this.#random.chance(0.7)) this.#campaign(process);
    }
    for (const process of this.processes) {
      if (this.leads(process)) this.replicate(process, this.#random.chance(0.7));
    }
    for (const process of this.processes) this.#publish(process);
    for (const process of [...this.processes]) if (this.#isRemoved(process) && this.#random.chance(0.5)) this.#end(process);
  }

  /** Some member that it calls says so: "the member has been permanently removed from the cluster" (etcd server/etcdserver/api/rafthttp/http.go). */
  #isRemoved(process: Process): boolean {
    const {memberID, members, removed} = process.data;
    if (removed.includes(memberID)) return true;
    return this.peersOf(process).some(({data}) => data.removed.includes(memberID) && members.some((member) => member.id === data.memberID));
  }

  /** It ends by itself. */
  #end(process: Process): void {
    this.stop(process);
    this.onPanic(process);
  }

  #campaign(process: Process): void {
    const {data} = process;
    const voters = votersOf(data).map((member) => member.id);
    if (!voters.includes(data.memberID)) return;
    const reached = this.#votersReached(process);
    if (reached.some((other) => this.leads(other))) return;
    const votes = reached.filter((other) => lastTerm(data) > lastTerm(other.data)
      || (lastTerm(data) === lastTerm(other.data) && data.log.length >= other.data.log.length));
    if (votes.length < quorumOf(voters.length)) return;
    const term = Math.max(data.term, ...votes.map((other) => other.data.term)) + 1;
    for (const other of votes) other.data.term = term;
    data.log.push({term});
    process.leader = data.memberID;
    process.serving = true;
    this.replicate(process, true);
  }

  /** Sends the leader's log to everybody in its membership, commits what a quorum has, and perhaps tells of the commit. */
  replicate(leader: Process, tellCommit: boolean): void {
    const {data} = leader;
    const ids = data.members.map((member) => member.id);
    const followers = this.peersOf(leader).filter((other) => other !== leader && ids.includes(other.data.memberID));
    if (followers.some((other) => other.data.term > data.term)) {
      leader.leader = '';
      return;
    }
    const isLearner = (process: Process) => data.members.some((member) => member.id === process.data.memberID && member.isLearner);
    const reached = followers.filter((follower) => !isLearner(follower) || this.#random.chance(0.5));
    for (const follower of reached) this.#append(leader, follower);
    const voters = votersOf(data).map((member) => member.id);
    const has = [leader, ...reached.filter((other) => this.processes.has(other))].filter((other) => voters.includes(other.data.memberID));
    if (has.length >= quorumOf(voters.length) && lastTerm(data) === data.term) {
      for (const entry of data.log.slice(data.commit)) this.committed.add(entry);
      data.commit = data.log.length;
    }
    apply(data);
    if (!tellCommit) return;
    for (const follower of reached.filter((other) => this.processes.has(other))) {
      follower.data.commit = Math.max(follower.data.commit, data.commit);
      apply(follower.data);
      follower.serving = true;
    }
  }

  #append(leader: Process, follower: Process): void {
    const [from, to] = [leader.data, follower.data];
    let common = 0;
    while (common < Math.min(from.log.length, to.log.length) && sameEntry(from.log[common], to.log[common])) common += 1;
    if (common < to.commit) {
      // "tocommit is out of range", "conflict with committed entry": raft panics, the process ends.
      this.#end(follower);
      return;
    }
    if (common < to.log.length || to.log.length < from.log.length) to.log = [...from.log];
    to.lineage = from.lineage;
    to.term = from.term;
    follower.leader = from.memberID;
  }

  #publish(process: Process): void {
    const leader = this.leaderOf(process);
    if (leader === undefined) return;
    const own = leader.data.members.find((member) => member.id === process.data.memberID);
    if (own === undefined || own.name === process.name || own.name !== '') return;
    const waiting = leader.data.log.slice(leader.data.commit).some((entry) => entry.publish?.id === own.id);
    if (!waiting) leader.data.log.push({term: leader.data.term, publish: {id: own.id, name: process.name}});
  }

  /** Through raft: undefined when no quorum agreed. The entry may be in logs all the same. */
  propose(process: Process, entry: Omit<LogEntry, 'term'>): {revision: number} | undefined {
    const leader = this.leaderOf(process);
    if (leader === undefined) return undefined;
    leader.data.log.push({term: leader.data.term, ...entry});
    this.replicate(leader, this.#random.chance(0.5));
    return leader.data.commit === leader.data.log.length ? {revision: leader.data.revision} : undefined;
  }

  /** raft's MsgTransferLeader: the next one gets what it lacks, and campaigns. False: it does not lead afterwards. */
  handOver(leader: Process, id: string): boolean {
    this.replicate(leader, true);
    const next = this.peersOf(leader).find((other) => other.data.memberID === id);
    if (next === undefined || next === leader || next.data.log.length < leader.data.log.length || this.#random.chance(0.1)) return next === leader;
    leader.leader = '';
    this.#campaign(next);
    // Who does not win takes no leadership away.
    if (!this.leads(next)) leader.leader = leader.data.memberID;
    return this.leads(next);
  }

  /** A quorum confirms the leader now. */
  confirmed(process: Process): Process | undefined {
    const leader = this.leaderOf(process);
    if (leader === undefined) return undefined;
    return this.#votersReached(leader).length >= quorumOf(votersOf(leader.data).length) ? leader : undefined;
  }

  /** A member that is down may always be removed, another one while the rest is a quorum (etcdserver, mayRemoveMember). */
  mayRemove(process: Process, id: string): boolean {
    const reached = this.#votersReached(process).map((other) => other.data.memberID);
    const voters = votersOf(process.data).map((voter) => voter.id);
    return !voters.includes(id) || !reached.includes(id) || reached.length - 1 >= quorumOf(voters.length - 1);
  }

  /** Each other voter has been connected with this member for etcd's health interval. How long a cut between them is over does not count here. */
  healthy(process: Process): boolean {
    const reached = this.#votersReached(process);
    return votersOf(process.data).filter((voter) => voter.id !== process.data.memberID).every((voter) => {
      const other = reached.find((candidate) => candidate.data.memberID === voter.id);
      return other !== undefined && this.#now() - Math.max(other.startedAt, process.startedAt) >= 5_000;
    });
  }
}
