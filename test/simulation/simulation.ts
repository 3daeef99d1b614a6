import type {V1Pod} from '@kubernetes/client-node';
import {databaseOwner} from '../../src/api/strategies.ts';
import type {QuorumRecovery} from '../../src/api/types.ts';
import {isEtcdError} from '../../src/etcd/errors.ts';
import {ApiError, isConflict} from '../../src/kubernetes/errors.ts';
import {ConflictError} from '../../src/operator/status.ts';
import {addDump} from './dumps.ts';
import {isReplacement} from '../../src/decide/replace.ts';
import {Dependents} from './dependents.ts';
import {isRestart} from '../../src/decide/restart.ts';
import {Invariants, Violation} from './invariants.ts';
import {Killed, Operators} from './operators.ts';
import type {When} from './operators.ts';
import {People} from './people.ts';
import type {Act} from './people.ts';
import {healthyWorld, newResource, strike, takeSnapshot, write} from './scenario.ts';
import type {Scenario} from './scenario.ts';
import type {World} from './world.ts';

export {Killed} from './operators.ts';
export type {When} from './operators.ts';

export interface SimulationOptions {
  scenario: Scenario;
  /** Number of the changing call (from 0) → what happens around it. */
  kills: ReadonlyMap<number, When>;
  /** What happens so long after the resource asks for a run, ms. */
  acts?: readonly (readonly [number, Act])[];
  trace?: boolean;
}

export interface Ending {
  outcome: string | undefined;
  blocked: string | undefined;
  message: string;
  verbs: string[];
  /** Changes beside the status and agents that leave the data alone. */
  touched: number;
  virtualMs: number;
}

interface ClusterEvent {
  due: number;
  /** undefined: a Node changed. */
  pod?: V1Pod;
}

const key = {namespace: 'db', name: 'etcd'};
/** How long after the beginning a run has to be over or blocked, virtual ms. */
const limitMs = 30 * 60_000;
const stepMs = 1_000;
/** Nobody asks for anything, and so long after the beginning nothing begins by itself any more, virtual ms. */
const idleMs = 10 * 60_000;
const standing: Partial<QuorumRecovery['spec']> = {
  trigger: {type: 'OnQuorumLoss', gracePeriod: '20s', cooldown: '1m', maxAttempts: 3, autoReplace: {after: '30s'}},
  verification: {canaryKeys: [], restartProof: true, timeout: '2m'},
};
/** A run that is over is watched for so many steps more. */
const settledSteps = 15;
/** And so many more for processes that ended by themselves or by a fault: two members that the kubelet starts again in turn do not meet at once. */
const leaderlessSteps = 120;

/** One recovery in one world: the real reconciler, with everything that may go wrong around it, and every invariant after each step. */
export class Simulation {
  readonly world: World;
  readonly invariants: Invariants;
  readonly #options: SimulationOptions;
  readonly #operators: Operators;
  readonly #people: People;
  #acts: (readonly [number, Act])[];
  #asked: {hash: string; since: number} | undefined;
  #events: ClusterEvent[] = [];
  #due = 0;
  #begun = Infinity;
  #writes = 0;

  constructor(options: SimulationOptions) {
    this.#options = options;
    const {scenario, kills, acts = []} = options;
    const {world} = healthyWorld(scenario);
    this.world = world;
    this.invariants = new Invariants(world, scenario.dependents === undefined ? undefined : new Dependents(world, scenario.dependents === 'fought'));
    this.#acts = [...acts].sort(([a], [b]) => a - b);
    this.#people = new People(world, () => this.#resource(true));
    this.#operators = new Operators({
      world, invariants: this.invariants, kills, flaky: scenario.flaky ?? 0, shards: scenario.shards ?? false, tick: (ms) => { this.#tick(ms); }, trace: (line) => { this.#trace(line); },
    });
    world.store.onChange(({kind, object}) => {
      if ((kind !== 'Pod' && kind !== 'Node') || this.#operators.current === undefined) return;
      const delay = world.random.below(1_500);
      const event = kind === 'Pod' ? {pod: object as V1Pod} : {};
      this.#events.push({due: world.now + delay, ...event});
      if (world.random.chance(0.1)) this.#events.push({due: world.now + 2 * delay, ...event});
    });
  }

  get verbs(): string[] {
    return this.#operators.verbs;
  }

  async run(): Promise<Ending> {
    const {scenario} = this.#options;
    const {world} = this;
    for (let n = 0; n < 5; n += 1) {
      if (!write(world, `key-${n}`, `value-${n}`)) throw new Error('a write was refused');
      this.invariants.acknowledged.set(`key-${n}`, `value-${n}`);
      if (n === 2 && scenario.restores === true) takeSnapshot(world);
    }
    if (scenario.rebuilds === true) world.store.create('ConfigMap', {metadata: {name: 'site', namespace: 'db'}, data: {shared_config: 'home_domain=example.com', 'enum.json': '{}'}});
    if (scenario.dumps === true) addDump(world, {'/queue/1': 'a', '/queue/2': 'b', '/queue/3': 'c'});
    if (scenario.watched) {
      world.store.create('QuorumRecovery', this.#resource(false));
      await this.#watchHealthy();
    }
    const resource = this.#resource(true);
    strike(world, scenario);
    this.#pass(scenario.beforeMs);
    if (!scenario.watched) world.store.create('QuorumRecovery', resource);
    try {
      return await this.#loop();
    } finally {
      this.#operators.current?.etcd.close();
    }
  }

  /** @param asks for a run, with what a person knows by then */
  #resource(asks: boolean): ReturnType<typeof newResource> {
    const {scenario} = this.#options;
    if (!asks) return newResource(scenario);
    const lostMembers = this.#namedMembers();
    if (scenario.autoReplaces === true) return newResource(scenario, standing);
    return newResource(scenario, {...(scenario.watched && {trigger: {type: 'Manual', gracePeriod: '10m', cooldown: '30m', maxAttempts: 3, request: 'now'}}), ...(lostMembers.length > 0 && {lostMembers})});
  }

  #named: {pod: string; memberID: string}[] | undefined;

  /** A person knows which member ran on the machine that is off: with volumes that any node can attach it need not be the one of its number. */
  #namedMembers(): {pod: string; memberID: string}[] {
    const nodes = this.#options.scenario.fates.flatMap((fate, ordinal) => (fate === 'Named' ? [`node-${ordinal}`] : []));
    this.#named ??= [...this.world.etcd.processes].filter(({node}) => nodes.includes(node)).map(({ordinal, data}) => ({pod: ordinal, memberID: data.memberID}));
    return this.#named;
  }

  /** The resource was there first: a run that had nothing to do, and a witness. Then a person asks for a run. */
  async #watchHealthy(): Promise<void> {
    for (let tries = 0; tries < 20 && this.invariants.status.run?.outcome === undefined; tries += 1) {
      if (this.#operators.current?.alive !== true || this.#operators.current.deposed) this.#restart();
      await this.#reconcile();
      this.#pass(2_000);
      await this.#operators.letOthers();
    }
    if (this.invariants.status.run?.outcome !== 'NotNeeded') throw new Violation(`a healthy cluster: ${JSON.stringify(this.invariants.status.run)}`);
    const {spec} = this.#resource(true);
    this.world.store.change('QuorumRecovery', 'db', 'etcd', (draft) => { draft.spec = spec; });
    this.#due = Infinity;
  }

  #restart(): void {
    this.#operators.start();
    this.#events = [];
    this.#due = this.world.now;
  }

  #trace(line: string): void {
    if (this.#options.trace) console.log(`${((this.world.now % 86_400_000) / 1000).toFixed(1)} ${line}`);
  }

  /** Time passes for everybody but the operator. */
  #pass(ms: number): void {
    // The longer ago the last change of the outside, the less there is to see in each second.
    for (let passed = 0; passed < ms;) {
      const step = Math.min(ms - passed, passed < 15_000 ? stepMs : passed / 10);
      this.#tick(step);
      passed += step;
    }
  }

  #tick(ms: number): void {
    const {world} = this;
    world.tick(ms);
    this.#operators.arrive();
    this.invariants.afterTick();
    const {run} = this.invariants.status;
    const goesOn = isReplacement(run) || isRestart(run);
    if ((goesOn || run?.writableAt !== undefined) && world.random.chance(0.1)) {
      const name = `after-${this.#writes += 1}`;
      if (write(world, name, 'x')) (goesOn ? this.invariants.acknowledged : this.invariants.survivorsWrites)?.set(name, 'x');
    }
  }

  async #loop(): Promise<Ending> {
    const {world} = this;
    this.#begun = world.now;
    this.#due = world.now;
    let blockedSince: number | undefined;
    let settled = 0;
    while (world.now - this.#begun < limitMs) {
      this.#happen(world.now - this.#begun);
      if (this.#operators.current?.alive !== true || this.#operators.current.deposed) {
        this.#pass(world.random.below(8_000));
        this.#restart();
      }
      this.#deliver();
      if (world.now >= this.#due) await this.#reconcile();
      await this.#operators.letOthers();
      const {status} = this.invariants;
      const open = this.#acts.length > 0 || !this.#operators.settled;
      blockedSince = !open && (status.phase === 'Blocked' || status.phase === 'Stalled') ? blockedSince ?? world.now : undefined;
      // A disk that the agent refused is looked at again after half a minute.
      // And one without room for a restore two minutes after it was read, which are counted from the last thing that anybody did.
      const patience = this.#options.scenario.autoReplaces === true ? 180_000 : this.#readyReason() === 'RestoreFailed' ? 110_000 : this.#readyReason() === 'AgentFailed' ? 45_000 : 20_000;
      if (blockedSince !== undefined && world.now - blockedSince > patience && world.now - this.#begun > (this.#options.scenario.backAfterMs ?? 0) + 30_000) return this.#ending();
      settled = this.#isOver() && !open ? settled + 1 : 0;
      if (settled > (this.#leads() ? settledSteps : leaderlessSteps)) return this.#ending();
      this.#tick(stepMs);
    }
    throw new Violation(`no end after ${limitMs / 60_000} minutes: ${JSON.stringify(this.invariants.status.run?.steps.find((step) => step.state !== 'Done'))} ${this.invariants.status.phase ?? ''}`);
  }

  #leads(): boolean {
    return [...this.world.etcd.processes].some((process) => this.world.etcd.leads(process));
  }

  #readyReason(): string | undefined {
    return this.invariants.status.conditions?.find((condition) => condition.type === 'Ready')?.reason;
  }

  /** The run that was asked for has ended, and leaves nothing open; or there is nobody any more who asks for one. */
  #isOver(): boolean {
    const {resource, status} = this.invariants;
    if (resource === undefined) return true;
    if (status.run?.finishedAt === undefined) return false;
    if (this.#options.scenario.autoReplaces === true) return status.phase !== 'Suspected' && this.world.now - this.#begun > idleMs;
    // It stays until the members that wait have joined: their claims may be empty.
    if (resource.metadata.deletionTimestamp !== undefined) return status.run.outcome === 'Degraded';
    // After a recovery leadership comes where it is to be; a restart leaves who is lost beside it where it is, and then nobody is asked to lead.
    const leading = status.conditions?.find((condition) => condition.type === 'PreferredLeader');
    if (this.#isPod(resource.spec.preferredLeader) && status.run.outcome === 'Recovered' && !isRestart(status.run) && (leading === undefined || leading.status === 'False' || leading.reason === 'RunInFlight')) return false;
    if (this.#options.scenario.retentionMs !== undefined && status.run.outcome === 'Recovered' && (status.kept ?? []).length > 0) return false;
    return this.#options.scenario.watched === (status.run.request !== undefined) && status.run.outcome !== 'Released';
  }

  /** A preference that can be met: of one member there is no etcd-1. */
  #isPod(preferred: string | undefined): boolean {
    return preferred === 'Previous' || this.#options.scenario.fates.some((_, ordinal) => preferred === `etcd-${ordinal}`);
  }

  #happen(ms: number): void {
    const {backAfterMs, fates, approvalMs} = this.#options.scenario;
    if (backAfterMs !== undefined && ms >= backAfterMs) {
      fates.forEach((fate, ordinal) => { if (fate === 'CutOff' || fate === 'Registered again') this.world.reconnect(`node-${ordinal}`); });
    }
    const now = this.#acts.filter(([at]) => at <= ms);
    this.#acts = this.#acts.filter(([at]) => at > ms);
    for (const [, act] of now) {
      this.#trace(`  ${act}`);
      this.#people.perform(act);
      this.#soon();
    }
    if (approvalMs !== undefined) this.#approve(approvalMs);
    this.#loseFirst();
  }

  #lostFirst = false;

  /** Nodes of members of the new cluster go before anybody is told of it. */
  #loseFirst(): void {
    const {count = 0, once} = this.#options.scenario.losesFirst ?? {};
    const {newCluster} = this.invariants.status.run ?? {};
    if (this.#lostFirst || count === 0 || newCluster === undefined || newCluster.servedAt !== undefined || newCluster.seeded.length < newCluster.members.length) return;
    const {store, etcd, disks} = this.world;
    const pods = newCluster.members.slice(-count);
    if (once === 'started' && !pods.every((pod) => [...etcd.processes].some(({ordinal}) => ordinal === pod))) return;
    this.#lostFirst = true;
    // What the disk of a survivor held whose own database was restored goes with it.
    if (databaseOwner(this.invariants.status.run?.plan) !== undefined) this.invariants.survivorsWrites = undefined;
    for (const pod of pods) {
      const node = disks.get(store.get('PersistentVolumeClaim', 'db', `data-${pod}`)?.spec?.volumeName ?? '')?.node;
      if (node === undefined) continue;
      this.#trace(`  lose ${node} with ${pod}`);
      this.world.destroyMachine(node);
      this.world.deleteNode(node);
    }
  }

  /** A person reads the plan for a while, and approves what was read; another one is another question. */
  #approve(afterMs: number): void {
    const {status, resource} = this.invariants;
    const hash = status.phase === 'AwaitingApproval' ? status.run?.plan?.hash : undefined;
    if (hash === undefined || resource?.spec.approvedPlan === hash) this.#asked = undefined;
    else if (this.#asked?.hash !== hash) this.#asked = {hash, since: this.world.now};
    else if (this.world.now - this.#asked.since >= afterMs) {
      this.#trace(`  approve ${hash}`);
      this.#people.approve(hash);
      this.#soon();
    }
  }

  /** The resource's own event comes. */
  #soon(): void {
    this.#due = Math.min(this.#due, this.world.now + this.world.random.below(1_500));
  }

  #deliver(): void {
    const {world} = this;
    const due = this.#events.filter((event) => event.due <= world.now);
    this.#events = this.#events.filter((event) => event.due > world.now);
    for (const {pod} of due) if (pod) this.#operators.current?.recoverer.onPod(pod);
    if (due.length > 0) this.#due = Math.min(this.#due, world.now);
  }

  async #reconcile(): Promise<void> {
    const {world} = this;
    const operators = this.#operators;
    try {
      const result = await operators.reconcile(key);
      this.#due = world.now + (result?.requeueAfterMs ?? 30_000);
    } catch (error) {
      if (operators.broken) throw operators.broken;
      const passing = error instanceof Killed || error instanceof ConflictError || isConflict(error) || isEtcdError(error) || error instanceof ApiError;
      if (!passing) throw error;
      this.#trace(`  failed: ${error.message}`);
      this.#due = world.now + 1_000;
    }
    if (operators.broken) throw operators.broken;
  }

  #ending(): Ending {
    const {status} = this.invariants;
    const outcome = status.run?.outcome;
    if (this.invariants.resource === undefined || status.run?.finishedAt !== undefined) this.invariants.dependentsBack();
    if (outcome === 'Recovered' || outcome === 'Degraded') this.invariants.atEnd(outcome);
    const ready = status.conditions?.find((condition) => condition.type === 'Ready');
    return {
      outcome, blocked: status.phase === 'Blocked' || status.phase === 'Stalled' ? ready?.reason : undefined, message: ready?.message ?? '',
      verbs: this.verbs, touched: this.#operators.touched, virtualMs: this.world.now - this.#begun,
    };
  }
}
