import {V1MicroTime} from '../kubernetes/client-node.ts';
import type {V1Lease, V1LeaseSpec} from '@kubernetes/client-node';
import type {KubernetesClient} from '../kubernetes/client.ts';
import {isAlreadyExists, isConflict, isNotFound} from '../kubernetes/errors.ts';
import {jittered, sleep} from './clock.ts';
import type {Cancel, Clock} from './clock.ts';
import type {Logger} from './log.ts';

/** Whoever stands by looks so many times as often as the leader renews: how late it sees a renewal, or a release, is how late it takes over. */
const looksPerRenewal = 4;

/** Several who stand by do not all ask in the same moment. */
const expiryMarginMs = 200;

export interface LeaseTimes {
  /** How long others wait, after the last renewal that they saw, before they take over. */
  durationMs: number;
  /** How long the leader leads on after its last good renewal began. */
  renewDeadlineMs: number;
  /** Time between two tries. */
  retryMs: number;
}

export interface LeaseOptions {
  client: Pick<KubernetesClient, 'get' | 'create' | 'replace'>;
  clock: Clock;
  log: Logger;
  namespace: string;
  name: string;
  /** Unique among all processes that ask for the lease. */
  identity: string;
  times: LeaseTimes;
  /** The signal aborts at the very moment that leading ends, for whatever reason. */
  onStarted: (signal: AbortSignal) => void;
  /** Leading ended, or never began before the stop. */
  onStopped: (why: 'Lost' | 'Released') => void;
  /** The lease was taken or renewed, and this process leads on. */
  onRenewed?: () => void;
  /** A try failed, or had no answer in time; that another process holds the lease, or was quicker, is no failure. */
  onFailure?: () => void;
  random?: () => number;
}

/**
 * Leader election on a coordination.k8s.io Lease by client-go's algorithm (tools/leaderelection): whoever holds the lease renews it;
 * the others take it over once it has not changed for its duration *by their own monotonic clock*. Times in the lease are never compared.
 * A timer ends leading `renewDeadline` after the last good renewal began, even while a call still hangs.
 */
export class LeaderElector {
  readonly #options: LeaseOptions;
  readonly #stopping = new AbortController();
  /** Last state of the lease that was seen, and when it was seen to change. */
  #observed: {lease: V1Lease; text: string; since: number} | undefined;
  #leading: AbortController | undefined;
  /** When the last good renewal began, and how much later than it was due the end of leading came: for so long this process was not run. */
  #renewedAt = 0;
  #lateMs = 0;
  #deadline: Cancel | undefined;
  #loop: Promise<void> | undefined;
  #lastTry = 0;
  /** The last try had no answer, or a bad one. */
  #failing = false;

  constructor(options: LeaseOptions) {
    const {durationMs, renewDeadlineMs, retryMs} = options.times;
    if (durationMs <= renewDeadlineMs) throw new RangeError('The lease duration must be longer than the renew deadline');
    if (renewDeadlineMs <= retryMs * 1.2) throw new RangeError('The renew deadline must be longer than 1.2 times the retry period');
    this.#options = options;
  }

  get isLeader(): boolean {
    return this.#leading !== undefined && !this.#leading.signal.aborted;
  }

  /** Who holds the lease, as far as it was seen; empty: nobody. */
  get holder(): string {
    return this.#observed?.lease.spec?.holderIdentity ?? '';
  }

  /** Milliseconds since the election last tried anything: grows when its loop is stuck. */
  get idleMs(): number {
    return this.#options.clock.monotonic() - this.#lastTry;
  }

  start(): void {
    this.#lastTry = this.#options.clock.monotonic();
    this.#loop ??= this.#run();
  }

  /**
   * Ends the election. Call it after the last act has ended: the lease is given back here, and another process may lead a moment later.
   */
  async stop(): Promise<void> {
    const wasLeader = this.isLeader;
    this.#stopping.abort();
    this.#endLeading();
    await this.#loop;
    if (wasLeader) await this.#release();
  }

  async #run(): Promise<void> {
    const {clock, log} = this.#options;
    while (!this.#stops()) {
      const begun = clock.monotonic();
      this.#lastTry = begun;
      const held = await this.#attempt();
      if (this.#stops()) break;
      if (held) this.#renewed(begun);
      // The deadline's timer may have ended it while the attempt was under way; then this sleeps not at all.
      await sleep(clock, this.#pause(), AbortSignal.any([this.#stopping.signal, ...(this.#leading === undefined ? [] : [this.#leading.signal])]));
      if (this.#lost()) {
        log.error({holder: this.holder, sinceRenewalMs: Math.round(clock.monotonic() - this.#renewedAt), lateMs: Math.round(this.#lateMs)}, `The lease could not be renewed in time, ${this.#why()}: this process leads no longer`);
        this.#options.onStopped('Lost');
        return;
      }
    }
    this.#options.onStopped('Released');
  }

  /** Time to the next try. Whoever stands by comes back when the lease runs out, if that is sooner. */
  #pause(): number {
    const {clock, times, random} = this.#options;
    if (this.isLeader) return times.retryMs;
    const {since, lease} = this.#observed ?? {};
    const {holderIdentity = '', leaseDurationSeconds = 0} = lease?.spec ?? {};
    if (since === undefined || holderIdentity === '') return jittered(times.retryMs, 0.2, random);
    const usual = jittered(this.#failing ? times.retryMs : times.retryMs / looksPerRenewal, 0.2, random);
    const left = since + leaseDurationSeconds * 1000 - clock.monotonic();
    return left > 0 ? Math.min(usual, left + expiryMarginMs * (random ?? Math.random)()) : usual;
  }

  #why(): string {
    const {renewDeadlineMs} = this.#options.times;
    return this.#lateMs > renewDeadlineMs / 4
      ? 'because this process was hardly run: its node has too little processor time for it (resources.requests.cpu of the chart)'
      : `because the API server did not take a renewal for ${renewDeadlineMs / 1_000} s`;
  }

  #stops(): boolean {
    return this.#stopping.signal.aborted;
  }

  #lost(): boolean {
    return !this.#stops() && this.#leading?.signal.aborted === true;
  }

  #endLeading(): void {
    this.#deadline?.();
    this.#leading?.abort();
  }

  /** The renewal that began then is good: lead on until the deadline counted from its begin. */
  #renewed(begun: number): void {
    const {clock, log, times, onStarted} = this.#options;
    if (this.#leading?.signal.aborted === true) return;
    this.#deadline?.();
    const left = times.renewDeadlineMs - (clock.monotonic() - begun);
    if (left <= 0) {
      // It came back too late to be relied on.
      this.#lateMs = -left;
      this.#leading?.abort();
      return;
    }
    const due = clock.monotonic() + left;
    this.#renewedAt = begun;
    this.#deadline = clock.setTimeout(() => {
      this.#lateMs = clock.monotonic() - due;
      this.#leading?.abort();
    }, left);
    this.#options.onRenewed?.();
    if (this.#leading !== undefined) return;
    this.#leading = new AbortController();
    log.info({lease: `${this.#options.namespace}/${this.#options.name}`}, 'This process leads now');
    onStarted(this.#leading.signal);
  }

  /** One try to take or to renew the lease; given up, though not undone, after half of the renew deadline. */
  async #attempt(): Promise<boolean> {
    const {clock, log, times} = this.#options;
    const late = new AbortController();
    const over = AbortSignal.any([late.signal, this.#stopping.signal, ...(this.#leading === undefined ? [] : [this.#leading.signal])]);
    const timeout = sleep(clock, times.renewDeadlineMs / 2, over).then(() => {
      if (!over.aborted) this.#options.onFailure?.();
      return false;
    });
    try {
      const held = await Promise.race([this.#tryAcquireOrRenew(() => late.signal.aborted), timeout]);
      this.#failing = false;
      return held;
    } catch (error) {
      this.#failing = true;
      if (isConflict(error) || isAlreadyExists(error)) {
        log.debug({error}, 'Another process wrote the lease first');
        // Whatever was known of it is outdated.
        if (this.isLeader) await this.#observe().catch(() => undefined);
      } else {
        this.#options.onFailure?.();
        log.warn({error}, this.isLeader ? 'The lease could not be renewed; trying again' : 'The lease could not be read or taken; trying again');
      }
      return false;
    } finally {
      late.abort();
    }
  }

  async #observe(): Promise<V1Lease | undefined> {
    const {client, namespace, name} = this.#options;
    const lease = await client.get('Lease', namespace, name);
    if (lease !== undefined) this.#saw(lease);
    return lease;
  }

  #saw(lease: V1Lease): void {
    const text = JSON.stringify(lease.spec ?? {});
    const since = this.#observed?.text === text ? this.#observed.since : this.#options.clock.monotonic();
    this.#observed = {lease, text, since};
  }

  /** client-go's fast path: who leads writes what he knows, without reading it first. Had another written it, its resourceVersion would be another one. */
  async #renewKnown(): Promise<boolean> {
    const known = this.#observed?.lease;
    if (!this.isLeader || known?.spec?.holderIdentity !== this.#options.identity) return false;
    try {
      this.#saw(await this.#replace(known, this.#spec(known.spec)));
      return true;
    } catch (error) {
      if (isConflict(error) || isNotFound(error)) return false;
      throw error;
    }
  }

  async #tryAcquireOrRenew(abandoned: () => boolean): Promise<boolean> {
    const {client, clock, namespace, name, identity} = this.#options;
    if (await this.#renewKnown()) return !abandoned();
    if (abandoned()) return false;
    const lease = await this.#observe();
    if (abandoned()) return false;
    if (lease === undefined) {
      this.#saw(await client.create('Lease', {
        apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: {namespace, name}, spec: this.#spec(undefined),
      }));
      return !abandoned();
    }
    const holder = lease.spec?.holderIdentity ?? '';
    const validMs = (lease.spec?.leaseDurationSeconds ?? 0) * 1000;
    const since = this.#observed?.since ?? clock.monotonic();
    if (holder !== '' && holder !== identity && since + validMs > clock.monotonic()) return false;
    this.#saw(await this.#replace(lease, this.#spec(lease.spec)));
    return !abandoned();
  }

  /** Guarded by the resourceVersion in the metadata that was read. */
  #replace(lease: V1Lease, spec: V1LeaseSpec): Promise<V1Lease> {
    const {client, namespace, name} = this.#options;
    return client.replace('Lease', {
      apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: lease.metadata ?? {namespace, name}, spec,
    });
  }

  #spec(before: V1LeaseSpec | undefined): V1LeaseSpec {
    const {clock, identity, times} = this.#options;
    const now = new V1MicroTime(clock.now());
    const mine = before?.holderIdentity === identity;
    const transitions = before?.leaseTransitions ?? 0;
    return {
      holderIdentity: identity,
      leaseDurationSeconds: Math.ceil(times.durationMs / 1000),
      acquireTime: mine ? before.acquireTime ?? now : now,
      renewTime: now,
      leaseTransitions: before === undefined || mine ? transitions : transitions + 1,
    };
  }

  /** Empty holder, duration 1, like client-go: the next process need not wait. Guarded by the resourceVersion, so it takes it from nobody. */
  async #release(): Promise<void> {
    const {clock, log, identity} = this.#options;
    try {
      const lease = await this.#observe();
      if (lease?.spec?.holderIdentity !== identity) return;
      const now = new V1MicroTime(clock.now());
      await this.#replace(lease, {
        holderIdentity: '', leaseDurationSeconds: 1, renewTime: now, acquireTime: now, leaseTransitions: lease.spec.leaseTransitions ?? 0,
      });
      log.info('The lease is released');
    } catch (error) {
      log.warn({error}, 'The lease could not be released: the next leader waits until it expires');
    }
  }
}
