import type {DataLoss, Plan, PlanSnapshot, QuorumRecoveryStatus, Run} from '../../api/types.ts';
import type {ClaimView, Observation, OrdinalView} from '../../observe/observation.ts';
import {besideNotes} from '../evidence/beside.ts';
import type {Decision, Transaction} from '../decision.ts';
import {blocked} from '../decision.ts';
import type {FallBack} from './fallBack.ts';
import {snapshotOf} from './fallBack.ts';
import {databaseAlarmNotes, databaseAuthRefusal} from './fallBackAlarms.ts';
import {leftInWords} from './fallBackLoss.ts';
import {judgeFencing} from '../evidence/fencing.ts';
import {roomNotes, roomRefusal} from './fallBackRoom.ts';
import {longerLogs} from '../evidence/loss.ts';
import type {Lost} from './newClusterPlan.ts';
import {fenceOf, lastNotes, leftBehind, mayReturnRefusal, proposeAnew} from './newClusterPlan.ts';
import {fateOfJoiner, fatesOf, joinStep, lowestOf, tiedFirst} from './plan.ts';
import {authRefusal} from './preflight.ts';
import {revisionNote} from './restorePlan.ts';
import {viewOf} from '../steps/common.ts';
import {unfitMembers} from '../evidence/survivor.ts';
import {unstoppable} from './unstoppable.ts';

/** What is missing in it, as far as anybody knows. `status`: with what was read of the disks by then. */
export function expectedLossOf(status: QuorumRecoveryStatus, snapshot: PlanSnapshot, end: {term: number; index: number}): string {
  const {pod = '', index, revision} = snapshot;
  const others = longerLogs(status, pod, end).map((words) => ` Beyond it: ${words}.`).join('');
  const has = index === undefined ? `the database of ${pod} is at revision ${revision}` : `the database of ${pod} has the log up to entry ${index} (revision ${revision})`;
  const {lastHealthy} = status;
  const seen = lastHealthy === undefined ? ' This resource never saw the cluster healthy, so what else is missing cannot be told.'
    : ` Revision ${lastHealthy.revision} was seen at ${lastHealthy.observedAt}${lastHealthy.revision <= revision ? '' : `: ${lastHealthy.revision - revision} revisions more than the database has`}. What lost members acknowledged and never sent to it cannot be known.`;
  return `${has}; ${leftInWords(snapshot)}.${others}${seen}`;
}

/** What the result says of it. */
export function lossOfDatabase(status: QuorumRecoveryStatus, {pod = '', index, logIndex, revision}: PlanSnapshot, end: {term: number; index: number}): Partial<DataLoss> {
  const longer = longerLogs(status, pod, end);
  return {survivorRevision: revision, ...(index !== undefined && {database: {pod, index, ...(logIndex !== undefined && {logIndex})}}), ...(longer.length > 0 && {longerLogs: longer})};
}

/** A member whose log is damaged may have stopped long before the others were lost. */
const storeNote = ({spec}: Observation, {candidates}: Known): string[] => (spec.snapshot === undefined || candidates.length > 0 ? []
  : [`the store of spec.snapshot was not read for this plan: where a snapshot there may be newer than this database, set spec.strategy to RestoreSnapshot, whose plan says which it would take`]);

const hopes = 'no log can be read that a cluster can be forced from, and data of';

type Known = Pick<Lost, 'candidates' | 'data'>;

const whyOf = (why: string, pod: string): string => `nothing can be forced: ${why}. A snapshot is made of ${pod}'s own database instead and restored in its place, as a new cluster of one member that the others join`;

const fateIn = (pod: string) => (one: OrdinalView, claim: ClaimView): string =>
  (one.pod === pod ? 'a snapshot of its database is made and restored beside its data, which is then set aside on the same volume' : fateOfJoiner(claim));

/** @param choice what is said of the others that could have been taken */
const notesOf = (observation: Observation, lost: Known, {survivor: {pod}, candidates}: FallBack, snapshot: PlanSnapshot, choice: readonly string[]): string[] => [
  ...unfitMembers(observation, lost.data), ...besideNotes(observation.ordinals, candidates.map((one) => one.pod)), ...choice, ...roomNotes(observation, pod), ...databaseAlarmNotes(observation, pod), revisionNote(observation, snapshot), ...storeNote(observation, lost),
];

/** A plan to restore the survivor's own database in the place of a force, or why there is none. */
export function proposeFallBack(observation: Observation, lost: Lost, instead: FallBack): {proposal: {plan: Plan; identity: Run['identity']}} | {refusal: Decision} {
  const {why, survivor, candidates} = instead;
  const {pod} = survivor;
  // A log that comes back can be forced, with all that is in it.
  const refusal = (lost.candidates.length === 0 ? mayReturnRefusal(observation, lost, {left: hopes, strategies: 'ForceNewCluster'}) : undefined) ?? unstoppable({...lost, candidates});
  if (refusal) return {refusal};
  const view = viewOf(observation, pod);
  const unready = authRefusal(observation, view) ?? databaseAuthRefusal(observation, pod) ?? roomRefusal(observation, pod, candidates.map((one) => one.pod).filter((other) => other !== pod));
  if (unready) return {refusal: blocked(unready.reason, unready.message)};
  const others = observation.ordinals.filter((other) => other.pod !== pod).sort(tiedFirst);
  const snapshot = snapshotOf(observation, survivor);
  const pods = candidates.map((one) => one.pod);
  const choice = pods.length > 1 ? [`once they are stopped the databases of ${pods.join(', ')} are read again, and the one with most in it is taken`] : [];
  return proposeAnew(observation, lost, {
    strategy: 'RestoreSnapshot', begins: view, candidates, lowest: lowestOf(survivor), seeding: ['Inspect', 'Restore', 'StartAll', 'Decommission', ...others.map((one) => joinStep(one.pod))], loading: [],
    why: whyOf(why, pod), expectedLoss: expectedLossOf(observation.status, snapshot, survivor), fate: fateIn(pod), snapshot, notes: notesOf(observation, lost, instead, snapshot, choice),
    approves: {why, pods: [...pods].sort(), lowest: lowestOf(survivor), snapshot},
  });
}

/**
 * Once nothing runs on the disks any more: the plan says whose database is taken, and what is lost by it. That it may be another one than the first was
 * approved with the plan, which named them all; what is worse than that has been asked again before.
 */
export function settleFallBack(observation: Observation, lost: Known, instead: FallBack, snapshot: PlanSnapshot): Transaction {
  const {why, survivor, candidates} = instead;
  const {pod} = survivor;
  const fenced = fenceOf({fencing: judgeFencing(observation, true)}, pod);
  const choice = [`of the databases of ${candidates.map((one) => one.pod).join(', ')} that of ${pod} has most in it, and is taken`];
  const notes = [...notesOf(observation, lost, instead, snapshot, choice), ...lastNotes(observation, {begins: pod, first: undefined})];
  return (draft) => {
    const {run} = draft;
    if (run?.plan === undefined) return;
    const {plan} = run;
    plan.why = whyOf(why, pod);
    plan.snapshot = snapshot;
    plan.expectedLoss = `${expectedLossOf(draft, snapshot, survivor)}${leftBehind(observation, lost, pod)}`;
    draft.dataLoss = {...draft.dataLoss, ...lossOfDatabase(draft, snapshot, survivor)};
    if (plan.survivor === pod) return;
    plan.claims = fatesOf(observation.ordinals, fateIn(pod));
    plan.lost = [...plan.lost.filter((one) => one.pod !== pod), ...fenced.filter((one) => one.pod === plan.survivor)].sort((a, b) => (a.pod < b.pod ? -1 : 1));
    plan.notes = notes;
  };
}
