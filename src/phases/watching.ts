import {queueReplacement, settleAutoReplace} from '../decide/watch/autoReplace.ts';
import type {Replacing} from '../decide/watch/autoReplace.ts';
import {stalledBy} from '../decide/assess.ts';
import {unrest} from '../decide/watch/calm.ts';
import {servesInWords} from '../decide/watch/findings.ts';
import {durationMs} from '../decide/durations.ts';
import type {Suspicion} from '../api/types.ts';
import type {Standing} from '../decide/summary.ts';
import {automatic, awaitTurn, etcdView, isInDoubt, settleAttempts, suspect} from '../decide/watch/suspicion.ts';
import {settleRegression} from '../decide/evidence/regressed.ts';
import {isWhole} from '../decide/watch/witness.ts';
import type {Observation} from '../observe/observation.ts';
import type {Observed} from '../observe/observe.ts';
import {endpointOf} from '../observe/access.ts';
import type {CalmMember} from '../observe/calmClusters.ts';
import type {Credentials} from '../observe/credentials.ts';
import {isLaunch} from '../observe/observation.ts';
import {watchTargets} from '../observe/leaderWatches.ts';
import type {Sentinels} from '../observe/sentinels.ts';
import type {Turns} from '../operator/turns.ts';

/** How often a cluster is looked at that stands well, ms. Pod and node events, and the end of a watch in etcd, come at once. */
const wellMs = 30_000;
/** The same while a member is missing, or a watch could not be opened, ms. */
const partlyMs = 5_000;
/** The same while its quorum is in doubt, ms. */
const doubtMs = 1_000;
/** A doubt that is gone after this time, ms, was the change of a leader. */
const settleMs = 900;

/** What is to be said of a cluster that serves; nothing while the end of a run is news, or members of it still wait. */
function watchSees(observation: Observation, replacing: string | undefined): {watch?: {serves: boolean; message: string}} {
  const {status: {run, regression: back, heldPods = [], findings = []}, spec: {trigger}, now} = observation;
  if (back !== undefined) return {watch: {serves: false, message: back.message}};
  const isNews = run?.finishedAt !== undefined && now - Date.parse(run.finishedAt) < durationMs(trigger.cooldown);
  if ((isNews && replacing === undefined) || heldPods.length > 0) return {};
  return {watch: {serves: true, message: servesInWords(observation, findings, `a run begins by itself if the quorum is lost for ${trigger.gracePeriod}`, replacing)}};
}

export interface Look {
  standing: Standing;
  requeueMs: number;
  /** A run begins now, by itself. */
  begins?: true;
  /** And what it is for, where a quorum serves. */
  replaces?: true;
  /** Nobody waits for the next look. */
  routine?: true;
  /** The cluster may be calm from now on; these are its members. */
  calm?: CalmMember[];
}

/** What a look has seen; `pushed`: of these members alone. */
export interface Seen {
  observed: Observed;
  pushed?: string[];
}

/** When the next look is needed: a calm cluster is not looked at in turn, so that the next backup asks for a look of its own. */
export function nextLook({requeueMs, routine}: Look, calm: boolean, others: readonly (number | undefined)[], backup: number | undefined): {requeueMs: number; routine?: true} {
  const known = others.filter((ms) => ms !== undefined);
  if (calm && backup !== undefined) return {requeueMs: Math.min(...known)};
  return {requeueMs: Math.min(requeueMs, ...known), ...(routine && {routine})};
}

/** Members by what they answered just now, as a calm cluster asks them. */
function membersOf({ordinals}: Observation, credentials: Credentials): CalmMember[] {
  return ordinals.flatMap(({pod, object, launch, probe}) => (object !== undefined && isLaunch(launch) && probe.kind === 'Answered'
    ? [{pod, endpoint: endpointOf(object, launch, {...credentials, auth: undefined}), status: probe.status}] : []));
}

const leaderlessIn = ({ordinals}: Observation): string[] => ordinals.filter(({probe}) => probe.kind === 'Answered' && probe.status.leader === '').map(({pod}) => pod);

/** The watch over a cluster whose resource says OnQuorumLoss, while no run is in flight. */
export class Watching {
  /** When a quorum was first in doubt, by resource, and who had no leader then. Lost with the process, which costs one more second. */
  readonly #doubts = new Map<string, {since: number; leaderless: readonly string[]}>();
  /** Pods whose etcd has just said that it has no leader, by resource, until what comes of it is written: the next look asks them alone, because silent members cost seconds. */
  readonly #pushed = new Map<string, Set<string>>();
  /** Ends the wait for a look at everybody, by resource. */
  readonly #looking = new Map<string, () => void>();
  readonly #sentinels: Sentinels | undefined;
  readonly #turns: Turns | undefined;

  /** @param turns whose turn it is to begin by itself; undefined: everybody's, at once */
  constructor(sentinels: Sentinels | undefined, turns?: Turns) {
    this.#sentinels = sentinels;
    this.#turns = turns;
  }

  /** Not watched any more: a run is in flight, or the resource is gone or asks for no watch. */
  leave(key: string): void {
    this.#doubts.delete(key);
    this.#pushed.delete(key);
    this.#turns?.leave(key);
    this.#sentinels?.calm.leave(key);
    this.#sentinels?.leaders.leave(key);
  }

  /** A full look begins: until it has found the cluster calm again it is not. */
  stir(key: string): void {
    this.#sentinels?.calm.leave(key);
  }

  /** What a look found calm stands in the status. Connections of that look are closed, but for that of the watch. */
  rest(key: string, members: readonly CalmMember[]): void {
    const {calm, etcd} = this.#sentinels ?? {};
    if (calm?.enter(key, members) === true) etcd?.release(members.map(({endpoint}) => endpoint));
  }

  /** etcd has pushed that the member in this pod has no leader. Three election timeouts without one are no change of leaders. */
  push(key: string, pod: string): void {
    this.#pushed.set(key, (this.#pushed.get(key) ?? new Set()).add(pod));
    this.#looking.get(key)?.();
  }

  /** Whom the next look asks; undefined: everybody. Those that were without a leader when the doubt began are asked a second time as if they had pushed it. */
  asks(key: string, now: number): string[] | undefined {
    const pods = this.#pushed.get(key);
    if (pods !== undefined) return [...pods];
    const {since = now, leaderless = []} = this.#doubts.get(key) ?? {};
    return leaderless.length > 0 && now - since >= settleMs ? [...leaderless] : undefined;
  }

  /** What these have told is written, or true no more. Until then it is asked again: a look can fail, and its write meet another one. */
  settle(key: string, pods: readonly string[]): void {
    const pushed = this.#pushed.get(key);
    for (const pod of pods) pushed?.delete(pod);
    if (pushed?.size === 0) this.#pushed.delete(key);
    const doubt = this.#doubts.get(key);
    if (doubt !== undefined) this.#doubts.set(key, {...doubt, leaderless: []});
  }

  /** A look at those alone that have told that they have no leader, or else at everybody; undefined: one has told it meanwhile, and that is not to wait for members that are silent. */
  async see(key: string, now: number, look: (only?: string[]) => Promise<Observed>): Promise<Seen | undefined> {
    const pushed = this.asks(key, now);
    if (pushed !== undefined) return {observed: await look(pushed), pushed};
    const observed = await this.#unlessPushed(key, look());
    return observed && {observed};
  }

  async #unlessPushed<T>(key: string, looking: Promise<T>): Promise<T | undefined> {
    const pushed = Promise.withResolvers<undefined>();
    this.#looking.set(key, () => { pushed.resolve(undefined); });
    // It ends by itself, and nobody may be there to hear of its failure.
    void looking.catch(() => undefined);
    try {
      return await Promise.race([looking, pushed.promise]);
    } finally {
      this.#looking.delete(key);
    }
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
  async look(key: string, {observation, credentials}: Observed): Promise<Look> {
    const {status} = observation;
    const stalled = stalledBy(observation);
    if (stalled?.kind === 'stalled') {
      this.leave(key);
      delete status.suspicion;
      return {standing: {at: 'stalled', reason: stalled.reason, message: stalled.message}, requeueMs: wellMs, routine: true};
    }
    settleAttempts(status, observation, isWhole(observation));
    settleRegression(status, observation);
    if (!isInDoubt(observation)) {
      this.#doubts.delete(key);
      delete status.suspicion;
      const replacing = settleAutoReplace(observation);
      if (replacing.kind === 'run') return this.#replace(key, observation, replacing);
      this.#turns?.leave(key);
      const followed = await this.#sentinels?.leaders.follow(key, watchTargets(observation, credentials));
      const standing: Standing = {at: 'watching', ...watchSees(observation, replacing.kind === 'wait' ? replacing.message : undefined)};
      if (followed === 'Leaderless') return {standing, requeueMs: doubtMs};
      if (!isWhole(observation) || followed === 'Closed') return {standing, requeueMs: partlyMs, routine: true};
      const calm = followed === 'Open' && unrest(observation) === undefined;
      return {standing, requeueMs: wellMs, routine: true, ...(calm && {calm: membersOf(observation, credentials)})};
    }
    return this.#doubt(key, observation);
  }

  #doubt(key: string, observation: Observation): Look {
    const {status, now} = observation;
    const {since} = this.#doubts.get(key) ?? {since: now};
    const isFirst = status.suspicion === undefined && now - since < settleMs;
    this.#doubts.set(key, {since, leaderless: isFirst ? leaderlessIn(observation) : []});
    if (isFirst) return {standing: {at: 'watching'}, requeueMs: doubtMs};
    const suspicion = suspect(observation);
    status.suspicion = suspicion;
    const next = automatic(observation, suspicion);
    switch (next.kind) {
      case 'run': return this.#begin(key, observation, suspicion);
      case 'exhausted': return {standing: {at: 'stalled', reason: 'AttemptsExhausted', message: next.message}, requeueMs: partlyMs};
      case 'wait': return {standing: {at: 'suspected', message: next.message}, requeueMs: doubtMs};
    }
  }

  /** A member is replaced now, or once it is the turn of this cluster. */
  #replace(key: string, observation: Observation, {since}: Extract<Replacing, {kind: 'run'}>): Look {
    const turns = this.#turns;
    const turn = turns?.ask({key, since, serves: true}, observation.status.run?.id);
    if (turns === undefined || turn?.kind === 'Begins') return {standing: {at: 'watching'}, requeueMs: 0, begins: true, replaces: true};
    const message = queueReplacement(observation, turn, turns.limit);
    return {standing: {at: 'watching', ...watchSees(observation, message)}, requeueMs: partlyMs};
  }

  /** The run begins, or waits until it is its turn: then it is said so, and since when. */
  #begin(key: string, {status, now}: Observation, suspicion: Suspicion): Look {
    const turns = this.#turns;
    const turn = turns?.ask({key, since: suspicion.since}, status.run?.id);
    if (turns === undefined || turn?.kind === 'Begins') return {standing: {at: 'watching'}, requeueMs: 0, begins: true};
    const waiting = awaitTurn(suspicion, turn, turns.limit, suspicion.queuedAt ?? new Date(now).toISOString());
    status.suspicion = waiting;
    const message = `the quorum seems to be lost since ${waiting.since}: ${waiting.kubernetes}; ${waiting.etcd}. The run waits for ${waiting.waitsFor ?? ''}`;
    // Those who are next look often; the others leave the workers to the runs.
    const next = turn === undefined || turn.ahead < turns.limit;
    return {standing: {at: 'suspected', reason: 'AwaitingTurn', message}, requeueMs: next ? doubtMs : partlyMs};
  }
}
