import type {Verb} from '../../src/kubernetes/kinds.ts';
import {EtcdError, isEtcdError} from '../../src/etcd/errors.ts';
import {ApiError} from '../../src/kubernetes/errors.ts';
import {EtcdAccess} from '../../src/observe/access.ts';
import {StatusWriter} from '../../src/operator/status.ts';
import {Recoverer} from '../../src/phases/reconciler.ts';
import type {Reporter} from '../../src/phases/reporter.ts';
import type {Watched} from '../../src/observe/observe.ts';
import type {Sentinels} from '../../src/observe/sentinels.ts';
import {SimClient} from './client.ts';
import type {ApiCall, Gate} from './client.ts';
import {Violation} from './invariants.ts';
import type {Invariants, Write} from './invariants.ts';
import {SimMemberClient} from './member.ts';
import type {EtcdCall, EtcdGate} from './member.ts';
import type {SimWatches} from './watches.ts';
import type {World} from './world.ts';

/** The operator dies: at once, or with its call still on the way. */
export class Killed extends Error {}

/** What happens to one changing call, and to the operator that makes it. */
export type When =
  /** Killed before it, after it, or while it is on its way: it arrives when another operator works. */
  | 'before' | 'after' | 'late'
  /** It fails, and nothing has changed; it fails although it has happened. The operator goes on. */
  | 'refused' | 'unheard'
  /** The operator stands still in it, and goes on with all of this reconcile while another one leads. */
  | 'deposed';

export interface Operator {
  alive: boolean;
  /** Another one leads, and it does not know. */
  deposed: boolean;
  /** Resolves when it is deposed. */
  parted: Promise<'parted'>;
  part: () => void;
  recoverer: Recoverer;
  etcd: EtcdAccess;
  abort: AbortController;
}

export interface OperatorsOptions {
  world: World;
  invariants: Invariants;
  kills: ReadonlyMap<number, When>;
  /** Of so many reads one fails: probability. */
  flaky: number;
  tick: (ms: number) => void;
  trace: (line: string) => void;
  /** Each operator is of another installation than the one before, whose Lease has run out. */
  shards?: boolean;
  /** The watches of this world, where clusters are watched beside the looks; and what watches for an operator. */
  watches?: SimWatches;
  sentinels?: (operator: Operator) => Sentinels;
}

/** How long a call of an operator that is gone may be on its way, ms. */
const lateMs = 10_000;
/** How long each call of a deposed operator takes at most, ms. */
const slowMs = 4_000;

const refusals = [[500, 'InternalError'], [503, 'ServiceUnavailable'], [429, 'TooManyRequests'], [0, 'Unavailable']] as const;
/** The answer to a call that has happened never came. */
const silences = [[0, 'Unavailable'], [504, 'Timeout'], [500, 'InternalError']] as const;

interface Call<T> {
  label: string;
  changes: boolean;
  write: Write;
  perform: () => T;
  before: () => void;
  fail: (happened: boolean) => Error;
}

/** What an operator's own watches know. */
const watchedIn = ({store}: World): Watched => ({
  resources: () => store.list('QuorumRecovery', 'db'), resource: () => store.get('QuorumRecovery', 'db', 'etcd'), nodes: () => store.list('Node'),
});

/** The operators of one world, of which one leads, and everything that goes wrong around their calls. */
export class Operators {
  readonly verbs: string[] = [];
  readonly #options: OperatorsOptions;
  #late: {due: number; perform: () => unknown}[] = [];
  /** Reconciles of deposed operators that are not over. */
  #parting = 0;
  /** A deposed operator has changed something since the leader's reconcile began: what stands in the status now is not what the leader read. */
  #interfered = false;
  current: Operator | undefined;
  /** Changes beside the status and read-only agents. */
  touched = 0;
  /** Runs are counted, so that a schedule happens the same way each time. */
  #runs = 0;
  #started = 0;
  broken: Violation | undefined;

  constructor(options: OperatorsOptions) {
    this.#options = options;
  }

  get settled(): boolean {
    return this.#parting === 0 && this.#late.length === 0;
  }

  start(): Operator {
    const {world, trace} = this.#options;
    if (this.current?.deposed !== true) this.current?.etcd.close();
    const parting = Promise.withResolvers<'parted'>();
    const operator = {alive: true, deposed: false, abort: new AbortController(), parted: parting.promise} as Operator;
    operator.part = () => { parting.resolve('parted'); };
    const client = new SimClient(world, this.#gate(operator));
    operator.etcd = new EtcdAccess({
      connect: ({address}) => new SimMemberClient(world.etcd, address, () => world.processAt(address), this.#etcdGate(operator), this.#options.watches),
      peer: async (address) => await Promise.resolve(this.#peer(address)),
      now: () => world.now,
    });
    const reporter = {
      decided: (_: unknown, run: string, step: string, decision: {kind: string; why?: string; message?: string}) => {
        trace(`  ${operator.deposed ? '(deposed) ' : ''}${run} ${step}: ${decision.kind} ${decision.why ?? decision.message ?? ''}`);
      },
      unreadableStatus: (_: unknown, problem: string) => { throw new Violation(`the status cannot be read: ${problem}`); },
      written: () => undefined,
      takes: (_: unknown, before: string | undefined) => { trace(`  taken over from ${before ?? 'nobody'}`); },
    } as unknown as Reporter;
    const sentinels = this.#options.sentinels?.(operator);
    this.#started += 1;
    const own = `operators/shard-${this.#started % 2}`;
    operator.recoverer = new Recoverer({
      ...(sentinels && {sentinels, watched: watchedIn(world)}),
      client, status: new StatusWriter(client), etcd: operator.etcd, reporter, agentImage: 'registry.example/operator:1', now: () => world.now,
      ...(this.#options.shards === true && {installation: {own, serves: () => true, lease: async () => await Promise.resolve('Free' as const)}}),
      signal: operator.abort.signal, newRunID: () => `run-${(this.#runs += 1).toString(16).padStart(8, '0')}`,
    });
    this.current = operator;
    for (const pod of world.store.list('Pod', 'db')) operator.recoverer.onPod(pod);
    return operator;
  }

  /** Time has passed: calls that were on their way arrive. */
  arrive(): void {
    const {world, trace} = this.#options;
    if (this.#late.length === 0) return;
    const late = this.#late.filter((call) => call.due <= world.now);
    this.#late = this.#late.filter((call) => call.due > world.now);
    for (const {perform} of late) {
      try {
        trace('a late call arrives');
        perform();
      } catch (error) {
        if (!(error instanceof ApiError) && !isEtcdError(error)) throw error;
      }
    }
  }

  /** One reconcile by the one that leads; undefined: it was deposed in it, and goes on beside. */
  async reconcile(key: {namespace: string; name: string}): Promise<{requeueAfterMs?: number; routine?: true} | undefined> {
    const operator = this.current;
    if (operator === undefined) return {};
    this.#interfered = false;
    const running = operator.recoverer.reconcile(key);
    const result = await Promise.race([running, operator.parted]);
    if (result !== 'parted') return result;
    this.#parting += 1;
    running.catch((error: unknown) => { if (error instanceof Violation) this.broken ??= error; }).finally(() => {
      this.#parting -= 1;
      operator.alive = false;
      operator.etcd.close();
    });
    return undefined;
  }

  /** Lets deposed operators go on as far as they can at this moment. */
  async letOthers(): Promise<void> {
    if (this.#parting > 0) await new Promise<void>((resolve) => { setImmediate(resolve); });
    if (this.broken) throw this.broken;
  }

  #peer(address: string): {memberID?: string; clusterID: string; members: {id: string; name: string; peerURLs: string[]; clientURLs: string[]; isLearner: boolean}[]} {
    const process = this.#options.world.processAt(address);
    if (process === undefined) throw new EtcdError('Unreachable', `${address}: connection refused`);
    return {clusterID: process.data.clusterID, members: process.data.members.map((member) => ({...member, clientURLs: []}))};
  }

  #gate(operator: Operator): Gate {
    return async (call, perform) => await this.#call(operator, {
      label: `${call.verb} ${call.kind} ${call.name}`, perform, changes: call.changes, write: call,
      fail: (happened) => this.#apiError(call, happened),
      before: () => {
        const beside = ['InspectPlanning', 'Snapshot'].includes(call.object?.metadata?.annotations?.['quorumrecovery.io/step'] ?? '');
        if (call.kind !== 'QuorumRecovery' && !beside) this.touched += 1;
        this.#ask(operator, call);
      },
    });
  }

  #etcdGate(operator: Operator): EtcdGate {
    return async (call, perform) => {
      const write: Write = {verb: 'etcd', kind: 'etcd', name: call.address, detail: call.method};
      return await this.#call(operator, {
        label: `etcd ${call.method}`, perform, changes: call.changes, write,
        fail: (happened) => this.#etcdError(call, happened),
        before: () => {
          this.touched += 1;
          this.#ask(operator, write);
        },
      });
    };
  }

  /** Whether the intent is in the status can only be asked of who leads, and has read it undisturbed. */
  #ask(operator: Operator, write: Write): void {
    if (operator.deposed) this.#interfered = true;
    else if (!this.#interfered) this.#options.invariants.beforeWrite(write);
  }

  #apiError({verb, kind, name}: ApiCall, happened: boolean): ApiError {
    const {random} = this.#options.world;
    const kinds = happened ? silences : refusals;
    const [code, reason] = kinds[random.below(kinds.length)] ?? [0, 'Unavailable'];
    const conflicts = !happened && (['update', 'patch', 'delete'] as Verb[]).includes(verb) && random.chance(0.3);
    return new ApiError({verb, kind, object: name, code: conflicts ? 409 : code, reason: conflicts ? 'Conflict' : reason, message: happened ? 'no answer' : 'refused'});
  }

  #etcdError({address}: EtcdCall, happened: boolean): EtcdError {
    return this.#options.world.random.chance(0.5) ? new EtcdError('Timeout', `${address}: context deadline exceeded`)
      : new EtcdError('Unreachable', `${address}: ${happened ? 'connection reset by peer' : 'connection refused'}`);
  }

  async #call<T>(operator: Operator, {label, changes, write, perform, before, fail}: Call<T>): Promise<T> {
    const {world, kills, flaky, tick, invariants} = this.#options;
    await Promise.resolve();
    this.#refuseDead(operator);
    if (operator.deposed) await this.#stand(slowMs);
    const when = changes ? kills.get(this.verbs.length) : undefined;
    if (when === 'deposed' && !operator.deposed) {
      invariants.lateCalls += 1;
      this.#checked(before);
      operator.deposed = true;
      operator.part();
      await this.#stand(lateMs);
      // Its call comes now, beside the one that leads.
      this.#interfered = true;
    }
    this.#refuseDead(operator);
    return this.#checked(() => {
      if (world.random.chance(0.02) && !operator.deposed) tick(100);
      if (!changes) {
        if (flaky > 0 && world.random.chance(flaky)) throw fail(false);
        return perform();
      }
      if (when !== 'deposed') before();
      return invariants.aroundCall(write, () => this.#around(operator, {label, write, perform, fail}));
    });
  }

  #refuseDead({alive}: Operator): void {
    if (!alive) throw new Killed('dead');
  }

  /** It stands still for a while, and the world goes on. */
  async #stand(ms: number): Promise<void> {
    const {world} = this.#options;
    await new Promise<void>((resolve) => { this.#late.push({due: world.now + world.random.below(ms), perform: resolve}); });
  }

  #around<T>(operator: Operator, {label, write, perform, fail}: Pick<Call<T>, 'label' | 'write' | 'perform' | 'fail'>): T {
    const {world, kills, invariants, trace} = this.#options;
    const when = kills.get(this.verbs.length);
    this.verbs.push(label);
    trace(`    ${this.verbs.length - 1} ${operator.deposed ? '(deposed) ' : ''}${label}${when ? ` (${when})` : ''}`);
    if (when === 'before' || when === 'after' || when === 'late') {
      operator.alive = false;
      operator.abort.abort();
    }
    if (when === 'late') {
      invariants.lateCalls += 1;
      this.#late.push({due: world.now + world.random.below(lateMs), perform: () => invariants.aroundCall(write, perform)});
    }
    if (when === 'before' || when === 'late') throw new Killed(label);
    if (when === 'refused') throw fail(false);
    const result = perform();
    if (when === 'after') throw new Killed(label);
    if (when === 'unheard') throw fail(true);
    return result;
  }

  /** A violation inside a call must not be taken for the call's own failure. */
  #checked<T>(perform: () => T): T {
    try {
      return perform();
    } catch (error) {
      if (error instanceof Violation) this.broken ??= error;
      throw error;
    }
  }
}
