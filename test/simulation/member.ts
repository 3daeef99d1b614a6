import {EtcdError} from '../../src/etcd/errors.ts';
import type {EtcdErrorKind} from '../../src/etcd/errors.ts';
import type {LeaderWatch, WatchHeard} from '../../src/etcd/leader-watch.ts';
import type {EtcdMember, ListedMember, MemberAlarm, MemberStatus} from '../../src/etcd/types.ts';
import type {Etcd, Process} from './etcd.ts';
import {hashOf, idOf, lastTerm} from './etcd-data.ts';
import type {SimMember} from './etcd-data.ts';
import type {SimWatches} from './watches.ts';

export interface EtcdCall {
  method: keyof EtcdMember;
  changes: boolean;
  address: string;
}

/** Runs before and after each call of the operator: time may pass, the operator may be killed. */
export type EtcdGate = <T>(call: EtcdCall, perform: () => T) => Promise<T>;

const listed = (member: SimMember): ListedMember => ({
  id: member.id, name: member.name, peerURLs: [...member.peerURLs], clientURLs: [], isLearner: member.isLearner,
});

/** What every member answers, a learner too (isRPCSupportedForLearner, etcd server/etcdserver/api/v3rpc/interceptor.go). Of reads only the serializable ones. */
const learnerServes: readonly (keyof EtcdMember)[] = ['status', 'get', 'authEnabled'];

/** etcd's client port as the operator sees it: one member of the model behind the adapter's interface. */
export class SimMemberClient implements EtcdMember {
  readonly #etcd: Etcd;
  readonly #find: () => Process | undefined;
  readonly #address: string;
  readonly #gate: EtcdGate;
  readonly #watches: SimWatches | undefined;

  constructor(etcd: Etcd, address: string, find: () => Process | undefined, gate: EtcdGate, watches?: SimWatches) {
    this.#watches = watches;
    this.#etcd = etcd;
    this.#address = address;
    this.#find = find;
    this.#gate = gate;
  }

  async status(): Promise<MemberStatus> {
    return await this.#ask('status', false, (process) => {
      const {data, leader} = process;
      const isLearner = data.members.some((member) => member.id === data.memberID && member.isLearner);
      return {
        clusterID: data.clusterID, memberID: data.memberID, version: this.#etcd.version, leader, raftTerm: data.log[data.applied - 1]?.term ?? lastTerm(data),
        raftIndex: data.commit, raftAppliedIndex: data.applied, revision: data.revision, dbSizeBytes: 20_480, isLearner,
        errors: leader === '' ? ['etcdserver: no leader'] : [],
      };
    });
  }

  async memberList(options: {linearizable?: boolean} = {}): Promise<{clusterID: string; members: ListedMember[]}> {
    return await this.#ask('memberList', false, (process) => {
      const source = options.linearizable === true ? this.#confirmed(process) : process;
      return {clusterID: source.data.clusterID, members: source.data.members.map(listed)};
    });
  }

  async get(key: string, options: {serializable?: boolean} = {}): Promise<{value: Buffer | undefined; revision: number}> {
    return await this.#ask('get', false, (process) => {
      if (options.serializable !== true) this.#refuseLearner(process);
      const {data} = options.serializable === true ? process : this.#confirmed(process);
      const value = data.keys.get(key);
      return {value: value === undefined ? undefined : Buffer.from(value), revision: data.revision};
    });
  }

  async put(key: string, value: string): Promise<{revision: number}> {
    return await this.#ask('put', true, (process) => this.#propose(process, {put: {key, value}}));
  }

  async putAll(entries: readonly {key: Buffer; value: Buffer}[]): Promise<void> {
    await this.#ask('putAll', true, (process) => { for (const {key, value} of entries) this.#propose(process, {put: {key: key.toString(), value: value.toString()}}); });
  }

  async getAll(keys: readonly Buffer[]): Promise<(Buffer | undefined)[]> {
    return await this.#ask('getAll', false, (process) => {
      const {data} = this.#confirmed(process);
      return keys.map((key) => data.keys.get(key.toString())).map((value) => (value === undefined ? undefined : Buffer.from(value)));
    });
  }

  async advance(key: string, by: number): Promise<{revision: number}> {
    return await this.#ask('advance', true, (process) => this.#propose(process, {put: {key, value: '', times: by}}));
  }

  async deleteKey(key: string): Promise<void> {
    await this.#ask('deleteKey', true, (process) => this.#propose(process, {remove: {key}}));
  }

  async hashKV(revision: number): Promise<{hash: number; compactRevision: number}> {
    return await this.#ask('hashKV', false, (process) => {
      if (revision > process.data.revision) throw this.#error('NotReady', 'etcdserver: mvcc: required revision is a future revision');
      return {hash: hashOf(process.data), compactRevision: 0};
    });
  }

  async addLearner(peerURLs: string[]): Promise<ListedMember> {
    return await this.#ask('addLearner', true, (process) => {
      // The member that is asked looks at its own connections first; the rest is decided where the entry is applied.
      if (!this.#etcd.healthy(process)) throw this.#error('Unhealthy', 'etcdserver: unhealthy cluster');
      const leader = this.#confirmed(process);
      const {members} = leader.data;
      if (members.some((member) => member.peerURLs.some((url) => peerURLs.includes(url)))) throw this.#error('MemberExists', 'etcdserver: Peer URLs already exists');
      if (members.some((member) => member.isLearner)) throw this.#error('TooManyLearners', 'etcdserver: too many learner members in cluster');
      const member: SimMember = {id: idOf(`${peerURLs.join()}${leader.data.log.length}${leader.data.lineage}`), name: '', peerURLs, isLearner: true};
      this.#propose(process, {add: member});
      return listed(member);
    });
  }

  async promote(id: string): Promise<void> {
    await this.#ask('promote', true, (process) => {
      const leader = this.#confirmed(process);
      const member = leader.data.members.find((candidate) => candidate.id === id);
      if (member === undefined) throw this.#error('NotFound', 'etcdserver: member not found');
      if (!member.isLearner) return;
      const learner = this.#etcd.peersOf(leader).find((other) => other.data.memberID === id);
      if (learner === undefined || learner.data.log.length < 0.9 * leader.data.log.length) {
        throw this.#error('NotReady', 'etcdserver: can only promote a learner member which is in sync with leader');
      }
      this.#propose(process, {promote: id});
    });
  }

  async removeMember(id: string): Promise<void> {
    await this.#ask('removeMember', true, (process) => {
      const leader = this.#confirmed(process);
      if (!leader.data.members.some((candidate) => candidate.id === id)) throw this.#error('NotFound', 'etcdserver: member not found');
      if (!this.#etcd.mayRemove(leader, id)) throw this.#error('Unhealthy', 'etcdserver: unhealthy cluster');
      this.#etcd.onRemove(id);
      this.#propose(process, {removeMember: id});
    });
  }

  async moveLeader(id: string): Promise<void> {
    await this.#ask('moveLeader', true, (process) => {
      if (!this.#etcd.leads(process)) throw this.#error('NoLeader', 'etcdserver: not leader');
      const target = process.data.members.find((member) => member.id === id);
      if (target?.isLearner !== false) throw this.#error('Other', 'etcdserver: bad leader transferee');
      if (!this.#etcd.handOver(process, id)) throw this.#error('Timeout', 'etcdserver: request timed out, leader transfer took too long');
    });
  }

  async alarms(): Promise<MemberAlarm[]> {
    return await this.#ask('alarms', false, (process) => {
      this.#confirmed(process);
      return [];
    });
  }

  async compact(): Promise<void> {
    await this.#ask('compact', true, () => undefined);
  }

  async defragment(): Promise<void> {
    await this.#ask('defragment', true, () => undefined);
  }

  async disarm(): Promise<void> {
    await this.#ask('disarm', true, () => undefined);
  }

  async authEnabled(): Promise<boolean | undefined> {
    return await this.#ask('authEnabled', false, () => false);
  }

  watchLeader(heard: WatchHeard): LeaderWatch {
    if (this.#watches === undefined) throw new TypeError('nobody watches in this world');
    return this.#watches.open(this.#address, heard);
  }

  close(): void {
    // There is no connection to end.
  }

  #error(kind: EtcdErrorKind, message: string): EtcdError {
    return new EtcdError(kind, `${this.#address}: ${message}`);
  }

  async #ask<T>(method: keyof EtcdMember, changes: boolean, answer: (process: Process) => T): Promise<T> {
    return await this.#gate({method, changes, address: this.#address}, () => {
      const process = this.#find();
      if (process === undefined) throw this.#error('Unreachable', 'connection refused');
      if (!process.serving) throw this.#error('Timeout', 'context deadline exceeded');
      if (!learnerServes.includes(method)) this.#refuseLearner(process);
      return answer(process);
    });
  }

  #refuseLearner(process: Process): void {
    const own = process.data.members.find((member) => member.id === process.data.memberID);
    if (own?.isLearner !== false) throw this.#error('LearnerRefused', 'etcdserver: rpc not supported for learner');
  }

  #confirmed(process: Process): Process {
    const leader = this.#etcd.confirmed(process);
    if (leader === undefined) throw this.#error(process.leader === '' ? 'NoLeader' : 'Timeout', 'etcdserver: no leader');
    return leader;
  }

  #propose(process: Process, entry: Parameters<Etcd['propose']>[1]): {revision: number} {
    const done = this.#etcd.propose(process, entry);
    if (done === undefined) throw this.#error('Timeout', 'etcdserver: request timed out');
    return done;
  }
}
