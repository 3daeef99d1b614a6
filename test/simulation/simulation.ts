import type {V1Pod} from '@kubernetes/client-node';
import {isEtcdError} from '../../src/etcd/errors.ts';
import {EtcdError} from '../../src/etcd/errors.ts';
import {ApiError, isConflict} from '../../src/kubernetes/errors.ts';
import {EtcdAccess} from '../../src/observe/access.ts';
import {ConflictError, StatusWriter} from '../../src/operator/status.ts';
import {Recoverer} from '../../src/phases/reconciler.ts';
import type {Reporter} from '../../src/phases/reporter.ts';
import {SimClient} from './client.ts';
import type {Gate} from './client.ts';
import {Invariants, Violation} from './invariants.ts';
import {SimMemberClient} from './member.ts';
import type {EtcdGate} from './member.ts';
import {healthyWorld, newResource, strike, write} from './scenario.ts';
import type {Scenario} from './scenario.ts';
import type {World} from './world.ts';

/** The operator dies: at once, or with its call still on the way. */
export class Killed extends Error {}

export type When = 'before' | 'after' | 'late';

export interface SimulationOptions {
  scenario: Scenario;
  /** Number of the changing call (from 0) → when the operator is killed around it. */
  kills: ReadonlyMap<number, When>;
  trace?: boolean;
}

export interface Ending {
  outcome: string | undefined;
  blocked: string | undefined;
  message: string;
  verbs: string[];
  /** Changes beside the status and read-only agents. */
  touched: number;
  virtualMs: number;
}

interface Operator {
  alive: boolean;
  recoverer: Recoverer;
  etcd: EtcdAccess;
  abort: AbortController;
}

interface PodEvent {
  due: number;
  pod: V1Pod;
}

const key = {namespace: 'db', name: 'etcd'};
/** How long after the beginning a run has to be over or blocked, virtual ms. */
const limitMs = 30 * 60_000;
const stepMs = 1_000;
/** How long a call of an operator that is gone may be on its way, ms. */
const lateMs = 10_000;

/** One recovery in one world: the real reconciler, which is killed now and then, and every invariant after each step. */
export class Simulation {
  readonly world: World;
  readonly invariants: Invariants;
  readonly verbs: string[] = [];
  readonly #options: SimulationOptions;
  #operator: Operator | undefined;
  #events: PodEvent[] = [];
  #late: {due: number; perform: () => unknown}[] = [];
  #due = 0;
  #touched = 0;
  #calls = 0;
  #writes = 0;
  #broken: Violation | undefined;

  constructor(options: SimulationOptions) {
    this.#options = options;
    const {world} = healthyWorld(options.scenario);
    this.world = world;
    this.invariants = new Invariants(world);
    world.store.onChange(({kind, object}) => {
      if (kind !== 'Pod' || this.#operator === undefined) return;
      const delay = world.random.below(1_500);
      this.#events.push({due: world.now + delay, pod: object as V1Pod});
      if (world.random.chance(0.1)) this.#events.push({due: world.now + 2 * delay, pod: object as V1Pod});
    });
  }

  async run(): Promise<Ending> {
    const {scenario} = this.#options;
    const {world} = this;
    for (let n = 0; n < 5; n += 1) if (!write(world, `key-${n}`, `value-${n}`)) throw new Error('a write was refused');
    const named = scenario.fates.flatMap((fate, ordinal) => (fate === 'Named' ? [{pod: `etcd-${ordinal}`, memberID: this.#memberID(ordinal)}] : []));
    const spec = newResource(scenario, named.length > 0 && !scenario.watched ? {lostMembers: named} : {});
    if (scenario.watched) {
      world.store.create('QuorumRecovery', spec);
      await this.#watchHealthy(named);
    }
    strike(world, scenario);
    this.#pass(scenario.beforeMs);
    if (!scenario.watched) world.store.create('QuorumRecovery', spec);
    try {
      return await this.#loop();
    } finally {
      this.#operator?.etcd.close();
    }
  }

  #memberID(ordinal: number): string {
    return [...this.world.etcd.processes].find((process) => process.ordinal === `etcd-${ordinal}`)?.data.memberID ?? '';
  }

  /** The resource was there first: a run that had nothing to do, and a witness. Then a person asks for a run. */
  async #watchHealthy(named: {pod: string; memberID: string}[]): Promise<void> {
    for (let tries = 0; tries < 10 && this.invariants.status.run?.outcome === undefined; tries += 1) {
      if (this.#operator?.alive !== true) this.#restart();
      await this.#reconcile();
      this.#pass(2_000);
    }
    if (this.invariants.status.run?.outcome !== 'NotNeeded') throw new Violation(`a healthy cluster: ${JSON.stringify(this.invariants.status.run)}`);
    this.world.store.change('QuorumRecovery', 'db', 'etcd', (draft) => {
      draft.spec = {...draft.spec, trigger: {...draft.spec.trigger, type: 'Manual', request: 'now'}, ...(named.length > 0 && {lostMembers: named})};
    });
    this.#due = Infinity;
  }

  #restart(): void {
    const {world} = this;
    this.#operator?.etcd.close();
    const operator: Operator = {alive: true, abort: new AbortController()} as Operator;
    const client = new SimClient(world, this.#gate(operator));
    operator.etcd = new EtcdAccess({
      connect: ({address}) => new SimMemberClient(world.etcd, address, () => world.processAt(address), this.#etcdGate(operator)),
      peer: async (address) => await Promise.resolve(this.#peer(address)),
    });
    const reporter = {
      decided: (_: unknown, run: string, step: string, decision: {kind: string; why?: string; message?: string}) => {
        this.#trace(`  ${run} ${step}: ${decision.kind} ${decision.why ?? decision.message ?? ''}`);
      },
      unreadableStatus: (_: unknown, problem: string) => { throw new Violation(`the status cannot be read: ${problem}`); },
      written: () => undefined,
    } as unknown as Reporter;
    operator.recoverer = new Recoverer({
      client, status: new StatusWriter(client), etcd: operator.etcd, reporter, agentImage: 'registry.example/operator:1', now: () => world.now,
      signal: operator.abort.signal,
    });
    this.#operator = operator;
    this.#events = [];
    for (const pod of world.store.list('Pod', 'db')) operator.recoverer.onPod(pod);
  }

  #peer(address: string): {memberID?: string; clusterID: string; members: {id: string; name: string; peerURLs: string[]; clientURLs: string[]; isLearner: boolean}[]} {
    const process = this.world.processAt(address);
    if (process === undefined) throw new EtcdError('Unreachable', `${address}: connection refused`);
    return {clusterID: process.data.clusterID, members: process.data.members.map((member) => ({...member, clientURLs: []}))};
  }

  #trace(line: string): void {
    if (this.#options.trace) console.log(`${((this.world.now % 86_400_000) / 1000).toFixed(1)} ${line}`);
  }

  /** Time passes for everybody but the operator. */
  #pass(ms: number): void {
    for (let left = ms; left > 0; left -= stepMs) this.#tick(Math.min(left, stepMs));
  }

  #tick(ms: number): void {
    const {world} = this;
    world.tick(ms);
    const late = this.#late.filter((call) => call.due <= world.now);
    this.#late = this.#late.filter((call) => call.due > world.now);
    for (const call of late) this.#arrive(call.perform);
    this.invariants.afterTick();
    if (this.invariants.status.run?.writableAt !== undefined && world.random.chance(0.1)) {
      const name = `after-${this.#writes += 1}`;
      if (write(world, name, 'x')) this.invariants.survivorsWrites?.set(name, 'x');
    }
  }

  /** A call of an operator that is dead already reaches the API server. */
  #arrive(perform: () => unknown): void {
    try {
      this.#trace('a late call of a dead operator arrives');
      perform();
    } catch (error) {
      if (!(error instanceof ApiError) && !isEtcdError(error)) throw error;
    }
  }

  #around<T>(operator: Operator, label: string, perform: () => T): T {
    const {kills} = this.#options;
    const when = kills.get(this.verbs.length);
    this.verbs.push(label);
    this.#trace(`    ${this.verbs.length - 1} ${label}${when ? ` (killed ${when})` : ''}`);
    if (when !== undefined) {
      operator.alive = false;
      operator.abort.abort();
    }
    if (when === 'late') {
      this.invariants.lateCalls += 1;
      this.#late.push({due: this.world.now + this.world.random.below(lateMs), perform});
    }
    if (when === 'before' || when === 'late') throw new Killed(label);
    const result = perform();
    if (when === 'after') throw new Killed(label);
    return result;
  }

  /** A violation inside a call must not be taken for the call's own failure. */
  #checked<T>(perform: () => T): T {
    try {
      return perform();
    } catch (error) {
      if (error instanceof Violation) this.#broken ??= error;
      throw error;
    }
  }

  #gate(operator: Operator): Gate {
    return async (call, perform) => {
      await Promise.resolve();
      if (!operator.alive) throw new Killed('dead');
      this.#calls += 1;
      return this.#checked(() => {
        if (this.world.random.chance(0.02)) this.#tick(100);
        if (!call.changes) return perform();
        if (call.kind !== 'QuorumRecovery' && call.object?.metadata?.annotations?.['quorumrecovery.io/step'] !== 'InspectPlanning') this.#touched += 1;
        this.invariants.beforeWrite(call);
        return this.#around(operator, `${call.verb} ${call.kind} ${call.name}`, perform);
      });
    };
  }

  #etcdGate(operator: Operator): EtcdGate {
    return async (call, perform) => {
      await Promise.resolve();
      if (!operator.alive) throw new Killed('dead');
      return this.#checked(() => {
        if (this.world.random.chance(0.02)) this.#tick(100);
        if (!call.changes) return perform();
        this.#touched += 1;
        this.invariants.beforeWrite({verb: 'etcd', kind: 'etcd', name: call.address, detail: call.method});
        return this.#around(operator, `etcd ${call.method}`, perform);
      });
    };
  }

  async #loop(): Promise<Ending> {
    const {world} = this;
    const begun = world.now;
    this.#due = world.now;
    let blockedSince: number | undefined;
    let settled = 0;
    while (world.now - begun < limitMs) {
      this.#happen(world.now - begun);
      if (this.#operator?.alive !== true) {
        this.#pass(world.random.below(8_000));
        this.#restart();
        this.#due = world.now;
      }
      this.#deliver();
      if (world.now >= this.#due) await this.#reconcile();
      const {status} = this.invariants;
      blockedSince = status.phase === 'Blocked' || status.phase === 'Stalled' ? blockedSince ?? world.now : undefined;
      if (blockedSince !== undefined && world.now - blockedSince > 20_000 && world.now - begun > (this.#options.scenario.backAfterMs ?? 0) + 30_000) return this.#ending(begun);
      if (status.run?.finishedAt !== undefined && this.#options.scenario.watched === (status.run.request !== undefined)) settled += 1;
      if (settled > 15) return this.#ending(begun);
      this.#tick(stepMs);
    }
    throw new Violation(`no end after ${limitMs / 60_000} minutes: ${JSON.stringify(this.invariants.status.run?.steps.find((step) => step.state !== 'Done'))} ${this.invariants.status.phase ?? ''}`);
  }

  #happen(ms: number): void {
    const {backAfterMs, fates} = this.#options.scenario;
    if (backAfterMs === undefined || ms < backAfterMs) return;
    fates.forEach((fate, ordinal) => { if (fate === 'CutOff' || fate === 'Registered again') this.world.reconnect(`node-${ordinal}`); });
  }

  #deliver(): void {
    const {world} = this;
    const due = this.#events.filter((event) => event.due <= world.now);
    this.#events = this.#events.filter((event) => event.due > world.now);
    for (const {pod} of due) this.#operator?.recoverer.onPod(pod);
    if (due.length > 0) this.#due = Math.min(this.#due, world.now);
  }

  async #reconcile(): Promise<void> {
    const {world} = this;
    try {
      const result = await this.#operator?.recoverer.reconcile(key);
      this.#due = world.now + (result?.requeueAfterMs ?? 30_000);
    } catch (error) {
      if (this.#broken) throw this.#broken;
      const passing = error instanceof Killed || error instanceof ConflictError || isConflict(error) || isEtcdError(error) || error instanceof ApiError;
      if (!passing) throw error;
      this.#trace(`  failed: ${error.message}`);
      this.#due = world.now + 1_000;
    }
    if (this.#broken) throw this.#broken;
  }

  #ending(begun: number): Ending {
    const {status} = this.invariants;
    const outcome = status.run?.outcome;
    if (outcome === 'Recovered' || outcome === 'Degraded') this.invariants.atEnd(outcome);
    const ready = status.conditions?.find((condition) => condition.type === 'Ready');
    return {
      outcome, blocked: status.phase === 'Blocked' || status.phase === 'Stalled' ? ready?.reason : undefined, message: ready?.message ?? '',
      verbs: this.verbs, touched: this.#touched, virtualMs: this.world.now - begun,
    };
  }
}
