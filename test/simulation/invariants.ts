import assert from 'node:assert/strict';
import type {V1Pod} from '@kubernetes/client-node';
import type {Arguments} from '../../src/agent/arguments.ts';
import {blockedReasons, stalledReasons} from '../../src/api/reasons.ts';
import {pruneStep} from '../../src/api/progress.ts';
import {databaseOwner} from '../../src/api/strategies.ts';
import {marks} from '../../src/api/types.ts';
import type {QuorumRecovery, QuorumRecoveryStatus} from '../../src/api/types.ts';
import type {Process} from './etcd.ts';
import {brokenEnding, isRebuilt, isRestored, notWhole} from './endings.ts';
import {copyOf, votersOf} from './etcd-data.ts';
import type {Data, Disk} from './etcd-data.ts';
import {isReplacement} from '../../src/decide/replace.ts';
import type {Dependents} from './dependents.ts';
import {isRestart} from '../../src/decide/restart.ts';
import {missingIntent} from './intent.ts';
import type {Write} from './intent.ts';
import {missingWrites, writesOn} from './lost-writes.ts';
import {betterData, dataOf, intactQuorum, notFenced, oldDataOf, stillElects} from './old-cluster.ts';
import {takesQuorum} from './quorum-kept.ts';
import {deletedTooEarly, noteEnded, pruneTooEarly} from './retained.ts';
import type {World} from './world.ts';

export type {Write} from './intent.ts';

/** A broken promise of DESIGN section 9. */
export class Violation extends Error {
  override readonly name = 'Violation';
}

/** Watches the world from outside the operator, with knowledge that the operator does not have. */
export class Invariants {
  readonly #world: World;
  readonly #dependents: Dependents | undefined;
  readonly #setSpec: string;
  readonly #setVersion: string | undefined;
  /** What the survivor's disk held as committed when it was forced. */
  survivorsWrites: Map<string, string> | undefined;
  forces = 0;
  /** What clients were told is written, from the beginning on. */
  readonly acknowledged = new Map<string, string>();
  /** What the log on the survivor's disk holds of writes that were acknowledged, or may have been. */
  #acknowledged = new Map<string, string>();
  #tailLeft = false;
  /** The highest revision that a client of the old cluster can have seen. */
  #seen = 0;
  /** Clusters that a join has begun in: what follows, also in another run, is theirs. */
  readonly #joined = new Set<string>();
  /** Members that have started empty under a token of the run, and the volumes that they did so on. */
  readonly #begun = new Map<string, string>();
  #checkedStatus: QuorumRecoveryStatus | undefined;
  readonly #ended = new Map<string, {finishedAt: string; retention: string}>();
  /** Calls that arrive after their operator's end: a probe write among them may come after the last delete of its key, which harms nobody. */
  lateCalls = 0;

  constructor(world: World, dependents?: Dependents) {
    this.#world = world;
    this.#dependents = dependents;
    this.#setSpec = this.#spec();
    this.#setVersion = world.store.get('StatefulSet', 'db', 'etcd')?.metadata?.resourceVersion;
    world.etcd.onStart = (process) => { this.#started(process); };
    world.etcd.onRemove = (memberID) => { this.#removes(memberID); };
    world.onAgent = (args, disk, pod) => { this.#agent(args, disk, pod); };
    world.store.onChange(({type, kind, object}) => {
      if (kind === 'QuorumRecovery') noteEnded(this.#ended, object as QuorumRecovery);
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
    const restarts = isRestart(run) && run?.finishedAt === undefined && run?.aborted === undefined;
    if (isRebuilt(process.data) && process.how === 'new') this.#startsEmpty(process);
    else if (process.how === 'new' && (held || restarts)) this.#fail(`invariant 7: ${process.podName} starts with the template's own "new" on an empty directory while ${run?.id ?? ''} is in flight`);
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
    this.#check(notFenced(this.#world, process, copy));
    this.#check(intactQuorum(this.#world, copy, (disk) => (disk === process.disk ? copy : dataOf(disk)), 'forced'));
    this.#check(betterData(this.#world, process, copy, run?.plan?.candidates ?? []));
    this.#check(this.#dependents?.whileForced());
    // Its own attempt: a deposed operator may have written down the next one already, whose pod the marker then refuses.
    const attempt = Number(this.#world.store.get('Pod', 'db', process.podName)?.metadata?.annotations?.[marks.attempt] ?? 0);
    if (process.disk.markers.get(run?.id ?? '')?.get(attempt) !== process.podUID) this.#fail(`invariant 6: ${process.podName} forces, and another pod has spent the marker`);
    // A second start finds what the first one found.
    if (process.data.members.length !== 1) this.#fail(`invariant 8: ${process.data.members.length} members after the force`);
    if (this.survivorsWrites !== undefined) this.#check(missingWrites(this.survivorsWrites, process.data, 'after another forced start'));
    this.survivorsWrites ??= new Map([...copyOf(copy).keys, ...this.#acknowledged]);
  }

  #agent(args: Arguments, disk: Disk, pod: V1Pod): void {
    // Neither changes the data: a snapshot is what the etcd that runs says itself.
    if (args.command === 'inspect' || args.command === 'snapshot') return;
    if (args.command === 'prune') {
      this.#check(pruneTooEarly(this.#world, this.#ended, args));
      return;
    }
    if (args.command === 'prepare-force' && disk.member.is === 'data' && this.forces === 0) {
      const {data} = disk.member;
      this.#tailLeft = data.commit < data.log.length;
      this.#acknowledged = writesOn(data, this.#world.etcd.committed);
    }
    if (args.command === 'seed') this.#seeds(args, disk, pod);
    const user = [...this.#world.etcd.processes].find((process) => process.disk === disk);
    if (user) this.#fail(`invariant 2: ${args.command} in ${pod.metadata?.name ?? ''} while ${user.podName} runs on the disk`);
  }

  /** Right after restored data has taken the place of what was there: the same rules as for a force, against what every disk held before. */
  #seeds({run}: Arguments, disk: Disk, pod: V1Pod): void {
    const {newCluster} = this.status.run ?? {};
    if (newCluster?.begunAt === undefined && this.status.run?.id === run) this.#fail(`invariant 1: ${pod.metadata?.name ?? ''} puts restored data in place, and the status does not say so`);
    this.#replacesOld('a snapshot is restored');
    const data = dataOf(disk);
    const {move} = newCluster ?? {};
    const owner = databaseOwner(this.status.run?.plan);
    if (data !== undefined && owner !== undefined && this.status.run?.id === run) this.#fellBack(disk, data, owner);
    if (data !== undefined && move?.proven === true && data.revision <= this.#seen) this.#fail(`invariant 14: restored at revision ${data.revision}, and clients have seen ${this.#seen}`);
  }

  /** A member of a new cluster starts on an empty directory. */
  #startsEmpty({podName, data, disk}: Process): void {
    const {newCluster} = this.status.run ?? {};
    const before = this.#begun.get(data.memberID) ?? disk.volume;
    if (before !== disk.volume) this.#fail(`invariant 7: ${podName} starts empty on ${disk.volume} as member ${data.memberID}, which may have voted on ${before}`);
    this.#begun.set(data.memberID, before);
    if (newCluster?.begunAt === undefined) this.#fail(`invariant 1: ${podName} starts empty under another token, and the status does not say so`);
    if (newCluster.servedAt === undefined) this.#replacesOld('an empty cluster is started');
  }

  /** A new cluster takes the old one's place, whose every disk is asked as it was before. */
  #replacesOld(what: string): void {
    const {approved, plan} = this.status.run ?? {};
    if (approved === undefined || approved.hash !== plan?.hash) this.#fail(`invariant 10: ${what} without approval`);
    const [before] = [...this.#world.disks.values()].map(oldDataOf).filter((data) => data !== undefined);
    if (this.#seen === 0) this.#seen = Math.max(...[...this.#world.disks.values()].map((one) => oldDataOf(one)?.revision ?? 0), ...[...this.#world.etcd.processes].map(({data}) => data.revision));
    if (before === undefined) return;
    this.#check(stillElects(this.#world, before, what));
    this.#check(intactQuorum(this.#world, before, oldDataOf, what));
  }

  /** Called before each change that the operator makes: is its intent in the stored status? */
  beforeWrite(write: Write): void {
    // Of a pod that another operator has taken away already: the call changes nothing.
    if (write.kind === 'Pod' && write.verb !== 'create' && write.object === undefined) return;
    const missing = missingIntent(this.#world, this.status, write);
    if (missing !== undefined) this.#fail(`invariant 1: ${missing}`);
  }

  /** A voter whose process runs is never taken out of the list of a cluster that serves. */
  #removes(memberID: string): void {
    const running = [...this.#world.etcd.processes].find((process) => process.data.memberID === memberID && !process.helper);
    const isVoter = running !== undefined && votersOf(running.data).some(({id}) => id === memberID);
    const {run} = this.status;
    if ((isReplacement(run) || run?.newCluster?.servedAt === undefined) && run?.force === undefined && isVoter) this.#fail(`invariant 3: member ${memberID} is removed while it runs in ${running.podName} on ${running.node}`);
  }

  /** Called with each change that an operator makes, also a late one. */
  aroundCall<T>(write: Write, perform: () => T): T {
    const {run} = this.status;
    if (run?.writableAt === undefined && !isReplacement(run)) return perform();
    const taken = takesQuorum(this.#world, write, isReplacement(run) || isRestart(run));
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
    const {members} = leader.data;
    if (members.filter((member) => member.isLearner).length > 1) this.#fail('invariant 8: more than one learner');
    if (leader.data.lineage === 'template') return;
    const joining = this.status.run?.steps.some((step) => step.name.startsWith('Join ') && step.startedAt !== undefined);
    if (joining === true) this.#joined.add(leader.data.lineage);
    // All that begin a restored cluster are in its list from the start.
    if (members.length > 1 && !isRestored(leader.data) && !isRebuilt(leader.data) && !this.#joined.has(leader.data.lineage)) this.#fail(`invariant 8: ${members.length} members after the force, before any join`);
  }

  /** However a run ended, what it had stopped has back what it had. */
  dependentsBack(): void {
    this.#check(this.#dependents?.atEnd());
  }

  /** A member's own database was restored: all that was in it is there, and what only its log had is told, entry by entry. */
  #fellBack(disk: Disk, data: Data, owner: string): void {
    const old = disk.aside.findLast(({lineage}) => lineage === 'template');
    if (old === undefined) this.#fail(`invariant 5: the database of ${owner} was restored, and its old data is not kept`);
    this.survivorsWrites ??= new Map(old.keys);
    this.#check(missingWrites(this.survivorsWrites, data, 'in what was made of the database'));
    const {database} = this.status.dataLoss ?? {};
    const readable = this.status.run?.offline?.find(({pod}) => pod === owner)?.data === 'Present';
    const truth = {pod: owner, index: old.applied, ...(readable && {logIndex: old.log.length})};
    if (JSON.stringify(database) !== JSON.stringify(truth)) this.#fail(`invariant 13: the database has ${JSON.stringify(truth)}, and what is told is ${JSON.stringify(database)}`);
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
    this.#check(brokenEnding({world: this.#world, status: this.status, data: leader.data, forces: this.forces, acknowledged: this.acknowledged}));
    const lost = missingWrites(this.survivorsWrites ?? new Map(), leader.data, 'at the end');
    const named = this.#tailLeft && this.status.run?.force?.tail?.includes('left to be dropped') === true;
    if (lost !== undefined && !named) this.#fail(lost);
    if (leader.data.keys.has(marks.probeKey) && this.lateCalls === 0) this.#fail('at the end: the probe key is left');
    if (outcome === 'Degraded') return;
    if ((this.status.heldPods ?? []).length > 0) this.#fail(`at the end: ${(this.status.heldPods ?? []).join(', ')} held`);
    if (this.resource?.metadata.finalizers?.length) this.#fail('at the end: the resource keeps its finalizer');
    // A quorum is what a restart is for: who is lost beside it stays lost.
    if (!isRestart(this.status.run)) this.#check(notWhole(this.#world, leader.data));
  }
}
