import type {V1Pod} from '@kubernetes/client-node';
import {isEtcdError} from '../../src/etcd/errors.ts';
import {ApiError, isConflict} from '../../src/kubernetes/errors.ts';
import type {CalmClusters} from '../../src/observe/calmClusters.ts';
import {openSentinels} from '../../src/observe/sentinels.ts';
import type {Sentinels} from '../../src/observe/sentinels.ts';
import {ConflictError} from '../../src/operator/status.ts';
import {backedUp, countSavers} from './backups.ts';
import {Invariants, Violation} from './invariants.ts';
import {Killed, Operators} from './operators.ts';
import type {Operator, When} from './operators.ts';
import {healthyWorld, mainScenario, newResource, write} from './scenario.ts';
import {SimWatches} from './watches.ts';
import type {World} from './world.ts';

/** What happens to one member of a cluster that is watched. */
export type Blow =
  /** Its etcd ends, and its kubelet starts it again. */
  | 'Crash'
  /** Its machine is gone, without a word, for good. */
  | 'PowerCut'
  /** Its machine is cut off for a while. */
  | 'CutOff'
  /** The operator's process ends, and another one begins. */
  | 'OperatorEnds';

export interface CalmSchedule {
  seed: number;
  /** What happens to the member of this ordinal, after so many ms. */
  blows: readonly {at: number; blow: Blow; ordinal: number}[];
  /** Number of the changing call (from 0) → what happens around it. */
  kills: readonly (readonly [number, When])[];
  /** Of so many ends of watches one is never told of: probability. */
  deaf: number;
  /** `spec.preferredLeader`. */
  preferredLeader?: string;
  /** `spec.backups`. */
  backups?: boolean;
}

export interface CalmEnding {
  /** How long after the quorum was lost for good the loss was suspected, virtual ms; undefined: it was not lost. */
  suspectedMs: number | undefined;
  /** How many asks of one member in turn there were, and full looks. */
  asks: number;
  looks: number;
}

const key = {namespace: 'db', name: 'etcd'};
const text = 'db/etcd';
const stepMs = 1_000;
/** How long it goes on, ms. */
const lastsMs = 6 * 60_000;
const cutOffMs = 40_000;
/** The operator process that follows begins within this time, ms. */
const restartMs = 8_000;
const resyncMs = 30_000;
/** The node controller takes so long that nothing may be left to it, ms. */
const nodeEventMs = 200_000;

/** A standing resource in one world, watched as the operator's process does it: full looks, asks in turn, one watch. */
export class CalmSimulation {
  readonly #schedule: CalmSchedule;
  readonly world: World;
  readonly invariants: Invariants;
  readonly #operators: Operators;
  readonly #watches: SimWatches;
  readonly #savers: {made: number};
  #sleepers: {due: number; wake: () => void}[] = [];
  #calm: CalmClusters | undefined;
  /** When the next look is due, as the queue has it: what happened, and what only the time brings up. */
  #urgent = 0;
  #routine = 0;
  #startAt = 0;
  /** When it was calm for the last time: what ends the calm can come in the last second. */
  #restedAt = 0;
  #events: {due: number; pod?: V1Pod}[] = [];
  #asks = 0;
  #looks = 0;
  /** What went wrong outside of a look. */
  #broken: unknown;

  constructor(schedule: CalmSchedule) {
    this.#schedule = schedule;
    const {world} = healthyWorld({...mainScenario, seed: schedule.seed, fates: ['Alive', 'Alive', 'Alive'], spareNodes: 0});
    this.world = world;
    this.invariants = new Invariants(world);
    this.#watches = new SimWatches(world);
    this.#savers = countSavers(world);
    this.#watches.isLost = () => world.random.chance(schedule.deaf);
    this.#operators = new Operators({
      world, invariants: this.invariants, kills: new Map(schedule.kills), flaky: 0, tick: (ms) => { this.#tick(ms); }, trace: () => undefined,
      watches: this.#watches, sentinels: (operator) => this.#sentinels(operator),
    });
    world.store.onChange(({kind, object}) => {
      if (kind !== 'Pod' && kind !== 'Node') return;
      const after = kind === 'Node' ? nodeEventMs : world.random.below(1_500);
      this.#events.push({due: world.now + after, ...(kind === 'Pod' && {pod: object as V1Pod})});
    });
  }

  #sentinels(operator: Operator): Sentinels {
    const {world} = this;
    const sentinels = openSentinels({
      etcd: operator.etcd, now: () => world.now, random: () => world.random.next(),
      sleep: async (ms) => { await new Promise<void>((resolve) => { this.#sleepers.push({due: world.now + ms, wake: resolve}); }); },
      onAnswer: async (of, answers) => { await operator.recoverer.onAnswer(of, answers); },
      onLeaderless: (of, pod) => { operator.recoverer.onLeaderless(of, pod); },
      onStir: () => { if (this.#operators.current === operator) this.#urgent = Math.min(this.#urgent, world.now); },
    });
    this.#calm = sentinels.calm;
    return sentinels;
  }

  async run(): Promise<CalmEnding> {
    const {world} = this;
    for (let n = 0; n < 5; n += 1) if (!write(world, `key-${n}`, `value-${n}`)) throw new Error('a write was refused');
    const trigger = {type: 'OnQuorumLoss', gracePeriod: '30m', cooldown: '30m', maxAttempts: 3} as const;
    world.store.create('QuorumRecovery', newResource({...mainScenario, preferredLeader: this.#schedule.preferredLeader}, {trigger, ...(this.#schedule.backups === true && backedUp)}));
    const begun = world.now;
    let lostAt: number | undefined;
    let suspectedMs: number | undefined;
    const left = [...this.#schedule.blows].sort((a, b) => a.at - b.at);
    const back: {at: number; node: string}[] = [];
    while (world.now - begun < lastsMs) {
      while (left[0] !== undefined && left[0].at <= world.now - begun) this.#strike(left.shift(), back);
      for (const {node} of back.filter(({at}) => at <= world.now)) world.reconnect(node);
      await this.#step();
      if (world.random.chance(0.2)) write(world, `key-${world.random.below(100)}`, 'x');
      if (lostAt === undefined && this.#isLostForGood()) lostAt = world.now;
      this.#requireHonestWitness(lostAt);
      if (lostAt !== undefined && this.invariants.status.suspicion !== undefined) suspectedMs ??= world.now - lostAt;
      this.#tick(stepMs);
    }
    this.#requireRest(left.length === 0 && lostAt === undefined && back.every(({at}) => world.now - at > 120_000), lostAt);
    this.#operators.current?.etcd.close();
    return {suspectedMs: lostAt === undefined ? undefined : suspectedMs ?? Infinity, asks: this.#asks, looks: this.#looks};
  }

  /** A cluster that has been whole for long enough is calm, is not suspected, and is led by whom it is to be led by. `ends`: nothing happens to it any more. */
  #requireRest(ends: boolean, lostAt: number | undefined): void {
    const {world} = this;
    const lastBlow = Math.max(0, ...this.#schedule.blows.map(({at, blow}) => at + (blow === 'CutOff' ? cutOffMs : 0)));
    const whole = [...world.machines.values()].every(({alive}) => alive) && lastsMs - lastBlow > 150_000;
    // A request to move leadership that failed is made again later and later, and until then the cluster is no calm one.
    const failed = this.invariants.status.conditions?.some(({type, reason}) => type === 'PreferredLeader' && reason === 'MoveFailed') === true;
    if (ends && whole && !failed && world.now - this.#restedAt > 60_000 && this.#schedule.deaf === 0) throw new Violation(`it is whole and not calm at the end: ${this.invariants.status.phase ?? ''}`);
    this.#requireBackups(ends && whole);
    if (lostAt === undefined && whole && this.invariants.status.suspicion !== undefined) throw new Violation('a cluster that serves is suspected for ever');
    if (ends && whole && !failed && lastsMs - lastBlow > 270_000 && !this.#leadsAsPreferred()) throw new Violation(`${this.#schedule.preferredLeader ?? ''} does not lead at the end: ${JSON.stringify(this.invariants.status.conditions?.find(({type}) => type === 'PreferredLeader'))}`);
  }

  /** `whole`: for minutes now. A store that fails is tried again after one or two of them. */
  #requireBackups(whole: boolean): void {
    const {backups} = this.invariants.status;
    if (this.#schedule.backups !== true) return;
    const lastBlow = Math.max(0, ...this.#schedule.blows.map(({at}) => at));
    if (whole && lastBlow < 60_000 && backups?.lastSuccess === undefined) throw new Violation(`nothing was saved: ${JSON.stringify(backups ?? {})}`);
    if (whole && lastBlow === 0 && this.#schedule.kills.length === 0 && this.#savers.made < 4) throw new Violation(`${this.#savers.made} backups in six minutes`);
  }

  #strike(what: CalmSchedule['blows'][number] | undefined, back: {at: number; node: string}[]): void {
    if (what === undefined) return;
    const {world} = this;
    const node = `node-${what.ordinal}`;
    const process = [...world.etcd.processes].find(({ordinal}) => ordinal === `etcd-${what.ordinal}`);
    switch (what.blow) {
      case 'Crash':
        if (process !== undefined && world.machines.get(node)?.connected === true) world.machines.get(process.node)?.kubelet.crash(process);
        break;
      case 'PowerCut': world.destroyMachine(node); break;
      case 'CutOff':
        world.disconnect(node);
        back.push({at: world.now + cutOffMs, node});
        break;
      case 'OperatorEnds': if (this.#operators.current !== undefined) this.#operators.current.alive = false;
    }
  }

  #leadsAsPreferred(): boolean {
    const {preferredLeader} = this.#schedule;
    const leader = [...this.world.etcd.processes].find((process) => this.world.etcd.leads(process));
    return preferredLeader === undefined || leader?.ordinal === preferredLeader;
  }

  /** Two of three machines are gone. */
  #isLostForGood(): boolean {
    return [...this.world.machines.values()].filter(({alive}) => !alive).length >= 2;
  }

  /** Nothing but a full look makes a witness: it names the members that there are, never a revision that nobody had, and none later than the quorum. */
  #requireHonestWitness(lostAt: number | undefined): void {
    const {lastHealthy} = this.invariants.status;
    if (lastHealthy === undefined) return;
    if (lastHealthy.members.length !== 3) throw new Violation(`the witness names ${lastHealthy.members.length} members`);
    // An answer that was given just before may be written just after.
    if (lostAt !== undefined && Date.parse(lastHealthy.observedAt) > lostAt + 5_000) throw new Violation(`the witness is of ${lastHealthy.observedAt}, and the quorum was lost at ${new Date(lostAt).toISOString()}`);
  }

  async #step(): Promise<void> {
    const {world} = this;
    const operators = this.#operators;
    if (operators.current?.alive !== true || operators.current.deposed) {
      if (this.#startAt === 0) this.#startAt = world.now + world.random.below(restartMs);
      if (world.now < this.#startAt) return;
      this.#startAt = 0;
      operators.start();
      this.#events = [];
      this.#urgent = world.now;
    }
    const due = this.#events.filter((event) => event.due <= world.now);
    this.#events = this.#events.filter((event) => event.due > world.now);
    for (const {pod} of due) if (pod) operators.current?.recoverer.onPod(pod);
    if (due.length > 0) this.#urgent = Math.min(this.#urgent, world.now);
    const rests = this.#calm?.rests(text) === true;
    if (rests) this.#restedAt = world.now;
    if (world.now >= this.#routine && rests) this.#routine = world.now + resyncMs;
    if (world.now >= this.#urgent || world.now >= this.#routine) await this.#look();
    else await this.#ask();
    await new Promise<void>((resolve) => { setImmediate(resolve); });
    await operators.letOthers();
    if (operators.broken) throw operators.broken;
    if (this.#broken !== undefined) throw this.#broken as Error;
  }

  async #look(): Promise<void> {
    const {world} = this;
    this.#looks += 1;
    [this.#urgent, this.#routine] = [Infinity, world.now + resyncMs];
    try {
      const result = await this.#operators.reconcile(key);
      const at = world.now + (result?.requeueAfterMs ?? resyncMs);
      if (result?.routine) this.#routine = Math.min(this.#routine, at);
      else this.#urgent = Math.min(this.#urgent, at);
    } catch (error) {
      const passing = error instanceof Killed || error instanceof ConflictError || isConflict(error) || isEtcdError(error) || error instanceof ApiError;
      if (!passing) throw error;
      this.#urgent = world.now + 1_000;
    }
  }

  async #ask(): Promise<void> {
    if (this.#calm?.due().includes(text) !== true) return;
    this.#asks += 1;
    const asking = this.#calm.ask(text).catch((error: unknown) => { this.#broken ??= error; });
    // One that is deposed in it goes on beside the next.
    await Promise.race([asking, this.#operators.current?.parted]);
  }

  /** Time passes for everybody but the operator. */
  #tick(ms: number): void {
    this.world.tick(ms);
    this.#watches.tick();
    this.#operators.arrive();
    const awake = this.#sleepers.filter(({due}) => due <= this.world.now);
    this.#sleepers = this.#sleepers.filter(({due}) => due > this.world.now);
    for (const {wake} of awake) wake();
    try {
      this.invariants.afterTick();
    } catch (error) {
      this.#broken ??= error;
    }
  }
}
