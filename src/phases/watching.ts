import {stalledBy} from '../decide/assess.ts';
import {causesOf} from '../decide/causes.ts';
import {durationMs} from '../decide/durations.ts';
import type {Standing} from '../decide/summary.ts';
import {automatic, etcdView, isInDoubt, settleAttempts, suspect} from '../decide/suspicion.ts';
import {isWhole, regression} from '../decide/witness.ts';
import type {Observation} from '../observe/observation.ts';
import type {Observed} from '../observe/observe.ts';
import type {LeaderWatches} from '../observe/leaderWatches.ts';
import {watchTargets} from '../observe/leaderWatches.ts';

/** How often a cluster is looked at that stands well, ms. Pod and node events, and the end of a watch in etcd, come at once. */
const wellMs = 30_000;
/** The same while a member is missing, or a watch could not be opened, ms. */
const partlyMs = 5_000;
/** The same while its quorum is in doubt, ms. */
const doubtMs = 1_000;
/** A doubt that is gone after this time, ms, was the change of a leader. */
const settleMs = 900;

/** What is to be said of a cluster that serves; nothing while the end of a run is news, or members of it still wait. */
function watchSees(observation: Observation): {watch?: {serves: boolean; message: string}} {
  const {status: {run, regression: back, heldPods = []}, spec: {trigger}, ordinals, now} = observation;
  if (back !== undefined) return {watch: {serves: false, message: back.message}};
  const isNews = run?.finishedAt !== undefined && now - Date.parse(run.finishedAt) < durationMs(trigger.cooldown);
  if (isNews || heldPods.length > 0) return {};
  const missing = ordinals.filter(({probe}) => probe.kind !== 'Answered');
  const message = missing.length === 0
    ? `all ${ordinals.length} members answer and have a leader; a run begins by itself if the quorum is lost for ${trigger.gracePeriod}`
    : `the quorum holds (${ordinals.length - missing.length} of ${ordinals.length} members answer), so nothing is done. Not answering: ${causesOf(missing)}`;
  return {watch: {serves: true, message}};
}

export interface Look {
  standing: Standing;
  requeueMs: number;
  /** A run begins now, by itself. */
  begins?: true;
}

/** The watch over a cluster whose resource says OnQuorumLoss, while no run is in flight. */
export class Watching {
  /** When a quorum was first in doubt, by resource. Lost with the process, which costs one more second. */
  readonly #doubts = new Map<string, number>();
  /** Pods whose etcd has just said that it has no leader, by resource: the next look asks them alone, because silent members cost seconds. */
  readonly #pushed = new Map<string, Set<string>>();
  readonly #leaders: LeaderWatches | undefined;

  constructor(leaders: LeaderWatches | undefined) {
    this.#leaders = leaders;
  }

  /** Not watched any more: a run is in flight, or the resource is gone or asks for no watch. */
  leave(key: string): void {
    this.#doubts.delete(key);
    this.#pushed.delete(key);
    this.#leaders?.follow(key, []);
  }

  /** etcd has pushed that the member in this pod has no leader. Three election timeouts without one are no change of leaders. */
  push(key: string, pod: string): void {
    this.#pushed.set(key, (this.#pushed.get(key) ?? new Set()).add(pod));
  }

  /** Whom the next look asks; undefined: everybody. Told once for each push. */
  asks(key: string): string[] | undefined {
    const pods = this.#pushed.get(key);
    this.#pushed.delete(key);
    return pods && [...pods];
  }

  /** What those say that have just told that they have no leader; undefined: they have one again. Nothing else was asked. */
  lookAtPushed(observation: Observation): Look | undefined {
    if (etcdView(observation).says !== 'Lost') return undefined;
    const suspicion = suspect(observation);
    observation.status.suspicion = suspicion;
    const next = automatic(observation, suspicion);
    // Nothing begins before everybody was asked.
    return next.kind === 'wait' ? {standing: {at: 'suspected', message: next.message}, requeueMs: 0} : undefined;
  }

  /** Brings the status up to what is seen, and says what comes of it. */
  look(key: string, {observation, credentials}: Observed): Look {
    const {status, now} = observation;
    const stalled = stalledBy(observation);
    if (stalled?.kind === 'stalled') {
      this.leave(key);
      delete status.suspicion;
      return {standing: {at: 'stalled', reason: stalled.reason, message: stalled.message}, requeueMs: wellMs};
    }
    settleAttempts(status, observation, isWhole(observation));
    const back = regression(observation);
    if (back === undefined) delete status.regression;
    else status.regression = {since: status.regression?.since ?? new Date(now).toISOString(), message: back.message};
    if (!isInDoubt(observation)) {
      this.#doubts.delete(key);
      delete status.suspicion;
      const closed = this.#leaders?.follow(key, watchTargets(observation, credentials)) ?? 0;
      return {standing: {at: 'watching', ...watchSees(observation)}, requeueMs: isWhole(observation) && closed === 0 ? wellMs : partlyMs};
    }
    return this.#doubt(key, observation);
  }

  #doubt(key: string, observation: Observation): Look {
    const {status, now} = observation;
    const since = this.#doubts.get(key) ?? now;
    this.#doubts.set(key, since);
    if (status.suspicion === undefined && now - since < settleMs) return {standing: {at: 'watching'}, requeueMs: doubtMs};
    const suspicion = suspect(observation);
    status.suspicion = suspicion;
    const next = automatic(observation, suspicion);
    switch (next.kind) {
      case 'run': return {standing: {at: 'watching'}, requeueMs: 0, begins: true};
      case 'exhausted': return {standing: {at: 'stalled', reason: 'AttemptsExhausted', message: next.message}, requeueMs: partlyMs};
      case 'wait': return {standing: {at: 'suspected', message: next.message}, requeueMs: doubtMs};
    }
  }
}
