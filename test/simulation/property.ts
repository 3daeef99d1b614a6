import fc from 'fast-check';
import {acts, mended} from './people.ts';
import type {Act} from './people.ts';
import type {Fate, Scenario} from './scenario.ts';
import {Simulation} from './simulation.ts';
import type {Ending, When} from './simulation.ts';

export interface Schedule {
  scenario: Scenario;
  kills: [number, When][];
  acts?: [number, Act][];
}

const fate = fc.oneof(
  {weight: 4, arbitrary: fc.constant<Fate>('Alive')}, {weight: 5, arbitrary: fc.constant<Fate>('Deleted')},
  {weight: 2, arbitrary: fc.constant<Fate>('OutOfService')}, {weight: 2, arbitrary: fc.constant<Fate>('Named')},
  {weight: 2, arbitrary: fc.constant<Fate>('CutOff')}, {weight: 1, arbitrary: fc.constant<Fate>('DeadNotReady')},
  {weight: 1, arbitrary: fc.constant<Fate>('Registered again')},
);

const fates = fc.oneof(
  {weight: 3, arbitrary: fc.array(fate, {minLength: 3, maxLength: 3})}, {weight: 1, arbitrary: fc.array(fate, {minLength: 5, maxLength: 5})},
  {weight: 4, arbitrary: fc.shuffledSubarray<Fate>(['Alive', 'Deleted', 'Deleted'], {minLength: 3})},
);

/** A quorum stays; the others are gone for good, or seem to be. */
const besideQuorum = fc.oneof(
  {weight: 4, arbitrary: fc.constant<Fate>('Deleted')}, {weight: 3, arbitrary: fc.constant<Fate>('Corrupt')}, {weight: 3, arbitrary: fc.constant<Fate>('Removed')},
  {weight: 2, arbitrary: fc.constant<Fate>('OutOfService')}, {weight: 2, arbitrary: fc.constant<Fate>('Named')}, {weight: 1, arbitrary: fc.constant<Fate>('CutOff')},
  {weight: 1, arbitrary: fc.constant<Fate>('DeadNotReady')}, {weight: 1, arbitrary: fc.constant<Fate>('Registered again')}, {weight: 1, arbitrary: fc.constant<Fate>('Alive')},
);
const replaced = fc.oneof(
  fc.tuple(besideQuorum, fc.nat(2)).map(([lost, at]) => [0, 1, 2].map((ordinal): Fate => (ordinal === at ? lost : 'Alive'))),
  fc.tuple(besideQuorum, besideQuorum, fc.shuffledSubarray([0, 1, 2, 3, 4], {minLength: 2, maxLength: 2})).map(([first, second, [a, b]]) =>
    [0, 1, 2, 3, 4].map((ordinal): Fate => (ordinal === a ? first : ordinal === b ? second : 'Alive'))),
);

const rarely = (of: number): fc.Arbitrary<boolean> => fc.oneof({weight: of - 1, arbitrary: fc.constant(false)}, {weight: 1, arbitrary: fc.constant(true)});

const scenario: fc.Arbitrary<Scenario> = fc.record({
  seed: fc.nat(1_000_000), fates, spareNodes: fc.nat(3), antiAffinity: fc.boolean(), ordered: fc.boolean(), liveness: fc.boolean(),
  policyLagMs: fc.constantFrom(0, 300, 2_000), watched: fc.boolean(), beforeMs: fc.constantFrom(0, 3_000, 60_000, 400_000),
  backAfterMs: fc.option(fc.constantFrom(500, 5_000, 20_000, 90_000), {nil: undefined}), tail: fc.nat(3), network: rarely(8),
  approvalMs: fc.option(fc.constantFrom(0, 2_000, 15_000), {nil: undefined, freq: 3}), flaky: fc.oneof({weight: 3, arbitrary: fc.constant(0)}, {weight: 1, arbitrary: fc.constantFrom(0.002, 0.02)}),
  retentionMs: fc.oneof({weight: 7, arbitrary: fc.constant(undefined)}, {weight: 1, arbitrary: fc.constant(3_000)}),
  shards: rarely(4),
  preferredLeader: fc.oneof({weight: 3, arbitrary: fc.constant(undefined)}, {weight: 1, arbitrary: fc.constantFrom('Previous', 'etcd-0', 'etcd-1')}),
  dependents: fc.oneof({weight: 4, arbitrary: fc.constant(undefined)}, {weight: 1, arbitrary: fc.constantFrom('quiet' as const, 'fought' as const)}),
});

const when = fc.oneof(...(['before', 'after', 'refused', 'unheard', 'deposed', 'late'] as const).map((one) => ({weight: one === 'late' ? 1 : 2, arbitrary: fc.constant<When>(one)})));

/** After so many milliseconds of a run. */
const moment = fc.integer({min: 0, max: 45_000});

/** What is taken away comes back: a run that stays paused, or has no resource, says nothing. */
const undone: Partial<Record<Act, Act>> = {pause: 'resume', 'choose a survivor': 'choose none', 'delete the resource': 'make it again', 'fill the disks': 'make room'};
const begun = acts.filter((act) => !Object.values(undone).includes(act));

const happening: fc.Arbitrary<[number, Act][]> = fc.tuple(moment, fc.constantFrom(...begun), fc.integer({min: 500, max: 60_000})).map(([at, act, ms]) => {
  const then = undone[act];
  return then === undefined ? [[at, act]] : [[at, act], [at + ms, then]];
});

const happenings = fc.oneof({weight: 2, arbitrary: fc.constant<[number, Act][]>([])}, {weight: 2, arbitrary: fc.array(happening, {minLength: 1, maxLength: 3}).map((list) => list.flat())});

/** Members are replaced while a quorum serves; the tail of a leader that is gone is nothing to them. */
const replacement: fc.Arbitrary<Scenario> = fc.tuple(scenario, replaced).map(([made, lost]) => ({...made, fates: lost, tail: 0, replaces: true}));

/** Pods are deleted, most of them; what else is lost is at random. */
const gonePod = fc.oneof({weight: 8, arbitrary: fc.constant<Fate>('Pod deleted')}, {weight: 2, arbitrary: fc.constant<Fate>('Alive')}, {weight: 1, arbitrary: fate});
const restart: fc.Arbitrary<Scenario> = fc.tuple(scenario, fc.oneof(fc.array(gonePod, {minLength: 3, maxLength: 3}), fc.array(gonePod, {minLength: 5, maxLength: 5})), fc.constantFrom('Auto' as const, 'Restart' as const))
  .map(([made, of, restarts]) => ({...made, fates: of, tail: 0, ordered: true, restarts}));

/** No data is left, or none that is whole, and there is a snapshot. */
const lostDisk = fc.oneof({weight: 6, arbitrary: fc.constant<Fate>('Deleted')}, {weight: 2, arbitrary: fc.constant<Fate>('OutOfService')}, {weight: 1, arbitrary: fc.constant<Fate>('Corrupt')}, {weight: 1, arbitrary: fate});
const restore: fc.Arbitrary<Scenario> = fc.tuple(scenario, fc.oneof(fc.array(lostDisk, {minLength: 3, maxLength: 3}), fc.array(lostDisk, {minLength: 1, maxLength: 2})), fc.nat(3), fc.constantFrom(0, 2_000))
  .map(([made, of, spareNodes, approvalMs]) => ({...made, fates: of, tail: 0, network: false, spareNodes, approvalMs, restores: true}));

/** Nothing can be forced: the survivor's version is too old, or its log is damaged, and its database is restored. */
const log = fc.oneof({weight: 3, arbitrary: fc.constant<Fate>('Log corrupt')}, {weight: 2, arbitrary: fc.constant<Fate>('Log lost')}, {weight: 1, arbitrary: fate});
const fallBack: fc.Arbitrary<Scenario> = fc.oneof(
  fc.tuple(scenario, fc.constantFrom(0, 2_000)).map(([made, approvalMs]): Scenario => ({...made, version: '3.5.21', approvalMs})),
  fc.tuple(scenario, log, fc.constantFrom(0, 2_000)).map(([made, one, approvalMs]): Scenario => ({...made, fates: ['Deleted', one, 'Deleted'], network: false, approvalMs})),
);

export const schedule: fc.Arbitrary<Schedule> = fc.record({
  scenario: fc.oneof({weight: 3, arbitrary: scenario}, {weight: 1, arbitrary: replacement}, {weight: 1, arbitrary: restart}, {weight: 1, arbitrary: restore}, {weight: 1, arbitrary: fallBack}),
  kills: fc.uniqueArray(fc.tuple(fc.nat(90), when), {selector: ([at]) => at, maxLength: 6}),
  acts: happenings,
});

/** What has to come of it, where that can be told beforehand; undefined: any end that breaks no invariant. */
export function expected(made: Scenario): string | undefined {
  const {fates: of, network, antiAffinity, spareNodes, backAfterMs, watched} = made;
  const quorum = Math.floor(of.length / 2) + 1;
  const count = (...kinds: Fate[]) => of.filter((one) => kinds.includes(one)).length;
  const alive = count('Alive');
  if (made.restarts !== undefined) return afterRestart(made, count);
  if (made.replaces === true) return afterReplacement(made, count, alive);
  if (made.restores === true) return undefined;
  if (backAfterMs !== undefined && count('CutOff', 'Registered again') > 0) return undefined;
  // Volumes that any node can attach tie no member to the node of its number: one node may have run several.
  if (network && !antiAffinity) return 'not forced';
  // A person's word asks for the member to be replaced while the quorum is there; who else is away is in the way of that.
  if (alive >= quorum && count('Named') > 0) return network || alive + count('Named') < of.length ? undefined : noMoreThanNodes(made, of.length - alive);
  if (alive >= quorum) return 'NotNeeded';
  if (network) return 'not forced';
  if (alive === 0) return 'not forced';
  if (alive + count('CutOff', 'Registered again', 'DeadNotReady') >= quorum) return 'not forced';
  if (count('CutOff', 'Registered again', 'DeadNotReady') > 0) return undefined;
  // Without a witness nobody recorded which process ran a member whose pod is gone.
  if (count('Named') > 0 && !watched) return undefined;
  return !antiAffinity || spareNodes >= of.length - alive ? 'Recovered' : 'Degraded';
}

function afterRestart({fates: of, watched, network, liveness, beforeMs}: Scenario, count: Count): string | undefined {
  const deleted = count('Pod deleted');
  if (deleted + count('Alive') < of.length) return undefined;
  // Those that are still stopping when they are asked serve.
  if (beforeMs < 60_000) return 'not forced';
  if (deleted === of.length && watched && !network && !liveness) return 'brought up';
  return 'not forced';
}

const noMoreThanNodes = ({antiAffinity, spareNodes}: Scenario, needed: number) => (!antiAffinity || spareNodes >= needed ? 'Recovered' : 'Degraded');

type Count = (...kinds: Fate[]) => number;

function afterReplacement(made: Scenario, count: Count, alive: number): string | undefined {
  const {fates: of, network} = made;
  const voters = of.length - count('Removed');
  if (alive < Math.floor(voters / 2) + 1) return 'not forced';
  if (alive === of.length) return 'NotNeeded';
  // Volumes that any node can attach bring their members back by themselves.
  if (network || count('CutOff', 'Registered again', 'DeadNotReady') > 0) return undefined;
  return noMoreThanNodes(made, count('Deleted', 'OutOfService', 'Named'));
}

export class Unexpected extends Error {}

/** What people do may change the end; faults that a run gets over may not. */
const changesEnd = (act: Act) => !mended.includes(act);

export async function check({scenario: of, kills, acts: happen = []}: Schedule, trace = false): Promise<Ending> {
  const simulation = new Simulation({scenario: of, kills: new Map(kills), acts: happen, trace});
  const ending = await simulation.run();
  // Whoever is killed may not have seen a process end.
  const wanted = (of.restarts !== undefined && kills.length > 0) || happen.some(([, act]) => changesEnd(act)) ? undefined : expected(of);
  const forced = simulation.invariants.forces > 0;
  const ended = ending.outcome ?? ending.blocked ?? 'nothing';
  // The first may be back, and Ready, before the others have stopped.
  const got = wanted === 'brought up' && (ended === 'Recovered' || ended === 'NotNeeded') ? wanted : ended;
  if (wanted === 'not forced' && forced) throw new Unexpected(`forced: ${ending.message}`);
  if (wanted !== undefined && wanted !== 'not forced' && got !== wanted) throw new Unexpected(`wanted ${wanted}, got ${got}: ${ending.message}`);
  if (ending.blocked !== undefined && !forced && ending.message.length < 20) throw new Unexpected(`blocked without saying why: ${ending.message}`);
  return ending;
}
