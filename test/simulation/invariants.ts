import assert from 'node:assert/strict';
import type {V1Pod} from '@kubernetes/client-node';
import type {Arguments} from '../../src/agent/arguments.ts';
import {blockedReasons, stalledReasons} from '../../src/api/reasons.ts';
import {pruneStep} from '../../src/api/progress.ts';
import {marks} from '../../src/api/types.ts';
import type {QuorumRecovery, QuorumRecoveryStatus} from '../../src/api/types.ts';
import type {Process} from './etcd.ts';
import {copyOf, lastTerm, quorumOf, votersOf} from './etcd-data.ts';
import type {Data, Disk} from './etcd-data.ts';
import {missingIntent} from './intent.ts';
import type {Write} from './intent.ts';
import {missingWrites, writesOn} from './lost-writes.ts';
import {takesQuorum} from './quorum-kept.ts';
import {deletedTooEarly, pruneTooEarly} from './retained.ts';
import type {World} from './world.ts';

export type {Write} from './intent.ts';

/** A broken promise of DESIGN section 9. */
export class Violation extends Error {
  override readonly name = 'Violation';
}

const dataOf = (disk: Disk): Data | undefined => (disk.member.is === 'data' ? disk.member.data : undefined);

/** Watches the world from outside the operator, with knowledge that the operator does not have. */
export class Invariants {
  readonly #world: World;
  readonly #setSpec: string;
  readonly #setVersion: string | undefined;
  /** What the survivor's disk held as committed when it was forced. */
  survivorsWrites: Map<string, string> | undefined;
  forces = 0;
  /** What the log on the survivor's disk holds of writes that were acknowledged, or may have been. */
  #acknowledged = new Map<string, string>();
  #tailLeft = false;
  /** The highest revision that a client of the old cluster can have seen. */
  #seen = 0;
  /** Clusters that a join has begun in: what follows, also in another run, is theirs. */
  readonly #joined = new Set<string>();
  #checkedStatus: QuorumRecoveryStatus | undefined;
  /** Calls that arrive after their operator's end: a probe write among them may come after the last delete of its key, which harms nobody. */
  lateCalls = 0;

  constructor(world: World) {
    this.#world = world;
    this.#setSpec = this.#spec();
    this.#setVersion = world.store.get('StatefulSet', 'db', 'etcd')?.metadata?.resourceVersion;
    world.etcd.onStart = (process) => { this.#started(process); };
    world.onAgent = (args, disk, pod) => { this.#agent(args, disk, pod); };
    world.store.onChange(({type, kind, object}) => {
      if (kind === 'PersistentVolume' && type === 'DELETED') this.#check(deletedTooEarly(world, object.metadata?.name ?? ''));
    });
  }

  get status(): QuorumRecoveryStatus {
    return this.#world.store.get('QuorumRecovery', 'db', 'etcd')?.status ?? {};
  }

  get resource(): QuorumRecovery | undefined {
    return this.#world.store.get('QuorumRecovery', 'db', 'etcd');
  }

  #spec(): string {
    return JSON.stringify(this.#world.store.get('StatefulSet', 'db', 'etcd')?.spec);
  }

  #fail(message: string): never {
    throw new Violation(message);
  }

  #check(problem: string | undefined): void {
    if (problem !== undefined) this.#fail(problem);
  }

  #started(process: Process): void {
    const {etcd} = this.#world;
    const twin = [...etcd.processes].find((other) => other !== process && other.ordinal === process.ordinal);
    if (twin) this.#fail(`invariant 3: ${process.ordinal} runs twice: in pod ${process.podName} on ${process.node} and in pod ${twin.podName} on ${twin.node}`);
    const shared = [...etcd.processes].find((other) => other !== process && other.disk === process.disk);
    if (shared) this.#fail(`invariant 2: ${process.podName} and ${shared.podName} run on one disk`);
    const {run} = this.status;
    const held = run !== undefined && run.finishedAt === undefined && run.steps.some((step) => step.name === 'Hold' && step.state === 'Done') && run.aborted === undefined;
    if (process.how === 'new' && held) this.#fail(`invariant 7: ${process.podName} starts with the template's own "new" on an empty directory while ${run.id} is in flight`);
    if (process.force) this.#forced(process);
    else if (run?.force?.endedAt !== undefined && run.writableAt === undefined && process.ordinal === run.plan?.survivor) this.#moved(process);
  }

  /** Clients reach the new cluster from here on: none of them may have seen its revision, if the status says that none has. */
  #moved(process: Process): void {
    const {revisions} = this.status.dataLoss ?? {};
    if (revisions === undefined) this.#fail(`invariant 14: ${process.podName} starts, and its revision was not moved past what clients may have seen`);
    const {revision} = process.data;
    if (revision < revisions.to) this.#fail(`invariant 14: ${process.podName} starts at revision ${revision}, and was said to be moved to ${revisions.to}`);
    if (revisions.proven && revision <= this.#seen) this.#fail(`invariant 14: ${process.podName} starts at revision ${revision}, and clients have seen ${this.#seen}`);
  }

  #forced(process: Process): void {
    // All that the old cluster ever had, also on disks that are gone.
    if (this.forces === 0) this.#seen = Math.max(...[...this.#world.disks.values()].map((disk) => dataOf(disk)?.revision ?? 0), ...[...this.#world.etcd.processes].map(({data}) => data.revision));
    this.forces += 1;
    if (!process.helper) this.#fail(`invariant 6: pod ${process.podName} carries the force flag and is no helper`);
    const {run} = this.status;
    const copy = process.disk.copies.get(run?.id ?? '');
    if (copy === undefined) this.#fail(`invariant 5: ${process.ordinal} is forced without a copy of its data`);
    this.#fenced(process, copy);
    this.#nothingIntact(process, copy);
    this.#bestData(process, copy);
    // Its own attempt: a deposed operator may have written down the next one already, whose pod the marker then refuses.
    const attempt = Number(this.#world.store.get('Pod', 'db', process.podName)?.metadata?.annotations?.[marks.attempt] ?? 0);
    if (process.disk.markers.get(run?.id ?? '')?.get(attempt) !== process.podUID) this.#fail(`invariant 6: ${process.podName} forces, and another pod has spent the marker`);
    // A second start finds what the first one found.
    if (process.data.members.length !== 1) this.#fail(`invariant 8: ${process.data.members.length} members after the force`);
    if (this.survivorsWrites !== undefined) this.#check(missingWrites(this.survivorsWrites, process.data, 'after another forced start'));
    this.survivorsWrites ??= new Map([...copyOf(copy).keys, ...this.#acknowledged]);
  }

  /** Voters of any old membership that still run, wherever, must be fewer than its quorum. */
  #fenced(process: Process, before: Data): void {
    const old = [...this.#world.etcd.processes].filter((other) => other !== process);
    const memberships = [before, ...[...this.#world.disks.values()].map(dataOf).filter((data) => data !== undefined && data !== process.data)] as Data[];
    for (const membership of memberships) {
      const voters = votersOf(membership).map((voter) => voter.id);
      const running = old.filter((other) => voters.includes(other.data.memberID));
      if (running.length > 0 && running.length >= quorumOf(voters.length)) {
        this.#fail(`invariant 3: ${process.ordinal} is forced while ${running.map((other) => `${other.podName} on ${other.node}`).join(', ')} can still elect a leader`);
      }
    }
    // Own pods that are bound to a node and not over could start again there, or run there unseen. In one that is being deleted nothing starts.
    const runs = (pod: V1Pod) => [...this.#world.etcd.processes].some((other) => other.podUID === pod.metadata?.uid);
    const loose = this.#world.store.list('Pod', 'db').filter((pod) => pod.metadata?.labels?.['app'] === 'etcd' && pod.spec?.nodeName !== undefined)
      .filter((pod) => pod.metadata?.deletionTimestamp === undefined || runs(pod))
      .filter((pod) => this.#world.machines.get(pod.spec?.nodeName ?? '')?.alive === true).map((pod) => pod.metadata?.name ?? '');
    if (loose.includes(process.ordinal)) this.#fail(`invariant 2: ${process.ordinal} is forced while its own pod can run`);
    if (loose.length >= quorumOf(votersOf(before).length)) this.#fail(`invariant 3: ${process.ordinal} is forced while ${loose.join(', ')} can run`);
  }

  /** No disk within reach has a newer log: what only that one held would be lost. */
  #bestData(process: Process, before: Data): void {
    const voters = votersOf(before).map((voter) => voter.id);
    for (const disk of this.#world.disks.values()) {
      const data = dataOf(disk);
      const machine = disk.node === undefined ? undefined : this.#world.machines.get(disk.node);
      if (data === undefined || disk === process.disk || machine?.connected !== true || !voters.includes(data.memberID)) continue;
      const candidates = this.status.run?.plan?.candidates ?? [];
      if (!candidates.some((pod) => this.#world.store.get('PersistentVolumeClaim', 'db', `data-${pod}`)?.spec?.volumeName === disk.volume)) continue;
      const newer = lastTerm(data) > lastTerm(before) || (lastTerm(data) === lastTerm(before) && data.log.length > before.log.length);
      if (newer) this.#fail(`invariant 13: ${process.ordinal} is forced, and ${disk.volume} holds newer data`);
    }
  }

  /** Disks of the survivor's membership that are there, or that nobody has declared gone, must be fewer than a quorum. */
  #nothingIntact(process: Process, before: Data): void {
    const voters = votersOf(before).map((voter) => voter.id);
    const named = (this.resource?.spec.lostMembers ?? []).map((lost) => lost.memberID);
    const intact = [...this.#world.disks.values()].filter((disk) => {
      const data = disk === process.disk ? before : dataOf(disk);
      if (data === undefined || !voters.includes(data.memberID)) return false;
      // A person's word gives up a disk that went with its node, not a volume that any node can attach.
      if (disk.node === undefined) return true;
      if (named.includes(data.memberID)) return false;
      const node = this.#world.store.get('Node', undefined, disk.node);
      return node !== undefined && !(node.spec?.taints ?? []).some((taint) => taint.key === 'node.kubernetes.io/out-of-service');
    });
    if (intact.length >= quorumOf(voters.length)) this.#fail(`invariant 4: forced while ${intact.length} of ${voters.length} voters' data is intact`);
  }

  #agent(args: Arguments, disk: Disk, pod: V1Pod): void {
    // Neither changes the data: a snapshot is what the etcd that runs says itself.
    if (args.command === 'inspect' || args.command === 'snapshot') return;
    if (args.command === 'prune') {
      this.#check(pruneTooEarly(this.#world, this.resource, args));
      return;
    }
    if (args.command === 'prepare-force' && disk.member.is === 'data' && this.forces === 0) {
      const {data} = disk.member;
      this.#tailLeft = data.commit < data.log.length;
      this.#acknowledged = writesOn(data, this.#world.etcd.committed);
    }
    const user = [...this.#world.etcd.processes].find((process) => process.disk === disk);
    if (user) this.#fail(`invariant 2: ${args.command} in ${pod.metadata?.name ?? ''} while ${user.podName} runs on the disk`);
  }

  /** Called before each change that the operator makes: is its intent in the stored status? */
  beforeWrite(write: Write): void {
    // Of a pod that another operator has taken away already: the call changes nothing.
    if (write.kind === 'Pod' && write.verb !== 'create' && write.object === undefined) return;
    const missing = missingIntent(this.#world, this.status, write);
    if (missing !== undefined) this.#fail(`invariant 1: ${missing}`);
  }

  /** Called with each change that an operator makes, also a late one. */
  aroundCall<T>(write: Write, perform: () => T): T {
    if (this.status.run?.writableAt === undefined) return perform();
    const taken = takesQuorum(this.#world, write);
    const result = perform();
    const problem = taken();
    if (problem !== undefined) this.#fail(`invariant 9: ${problem}`);
    return result;
  }

  /** Called after each step of the world. */
  afterTick(): void {
    const {status} = this;
    if (status !== this.#checkedStatus) this.#sayWhy(status);
    this.#checkedStatus = status;
    const version = this.#world.store.get('StatefulSet', 'db', 'etcd')?.metadata?.resourceVersion;
    if (version !== this.#setVersion && this.#spec() !== this.#setSpec) this.#fail('invariant 12: the StatefulSet was changed');
    const leaders = [...this.#world.etcd.processes].filter((process) => this.#world.etcd.leads(process) && this.#world.etcd.confirmed(process) !== undefined);
    const lineages = new Set(leaders.map((process) => process.data.lineage));
    if (lineages.size > 1) this.#fail(`invariant 3: split brain: ${leaders.map((process) => `${process.podName} on ${process.node} (${process.data.lineage})`).join(', ')} lead at the same time`);
    for (const leader of leaders) this.#afterForce(leader);
  }

  /** Whoever stands still says why, in words. */
  #sayWhy({phase, conditions}: QuorumRecoveryStatus): void {
    if (phase !== 'Blocked' && phase !== 'Stalled') return;
    const ready = conditions?.find((condition) => condition.type === 'Ready');
    const reasons: readonly string[] = phase === 'Blocked' ? blockedReasons : stalledReasons;
    if (ready?.status !== 'False' || !reasons.includes(ready.reason)) this.#fail(`invariant 10: ${phase} with reason ${ready?.reason ?? 'none'}`);
    if (ready.message.length < 20) this.#fail(`invariant 10: ${phase}, and all it says is "${ready.message}"`);
  }

  #afterForce(leader: Process): void {
    if (leader.data.lineage === 'template') return;
    const {members} = leader.data;
    if (members.filter((member) => member.isLearner).length > 1) this.#fail('invariant 8: more than one learner');
    const joining = this.status.run?.steps.some((step) => step.name.startsWith('Join ') && step.startedAt !== undefined);
    if (joining === true) this.#joined.add(leader.data.lineage);
    if (members.length > 1 && !this.#joined.has(leader.data.lineage)) this.#fail(`invariant 8: ${members.length} members after the force, before any join`);
  }

  /** What must be true when a run has ended. */
  atEnd(outcome: string | undefined): void {
    const {store} = this.#world;
    assert.ok(outcome === 'Recovered' || outcome === 'Degraded');
    const pods = store.list('Pod', 'db');
    const left = pods.filter((pod) => ![undefined, pruneStep].includes(pod.metadata?.annotations?.[marks.step]));
    if (left.length > 0) this.#fail(`at the end: helper ${left.map((pod) => pod.metadata?.name ?? '').join(', ')} is left`);
    if (outcome === 'Recovered' && pods.some((pod) => pod.metadata?.finalizers?.includes(marks.fence))) this.#fail('at the end: a fence finalizer is left');
    const leader = [...this.#world.etcd.processes].find((process) => this.#world.etcd.leads(process));
    if (leader === undefined) this.#fail('at the end: no leader');
    const lost = missingWrites(this.survivorsWrites ?? new Map(), leader.data, 'at the end');
    const named = this.#tailLeft && this.status.run?.force?.tail?.includes('left to be dropped') === true;
    if (lost !== undefined && !named) this.#fail(lost);
    if (leader.data.keys.has(marks.probeKey) && this.lateCalls === 0) this.#fail('at the end: the probe key is left');
    if (outcome === 'Degraded') return;
    const ordinals = store.get('StatefulSet', 'db', 'etcd')?.spec?.replicas ?? 0;
    if ((this.status.heldPods ?? []).length > 0) this.#fail(`at the end: ${(this.status.heldPods ?? []).join(', ')} held`);
    if (this.resource?.metadata.finalizers?.length) this.#fail('at the end: the resource keeps its finalizer');
    if (votersOf(leader.data).length !== ordinals || leader.data.members.length !== ordinals) this.#fail(`at the end: ${votersOf(leader.data).length} voters of ${ordinals}`);
    const own = pods.filter((pod) => pod.metadata?.labels?.['app'] === 'etcd');
    if (own.length !== ordinals || own.some((pod) => (pod.spec?.schedulingGates ?? []).length > 0 || pod.status?.phase !== 'Running')) this.#fail('at the end: not every own pod runs');
  }
}
