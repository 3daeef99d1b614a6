import type {DataLoss, Plan, PlanSnapshot, QuorumRecoveryStatus, Run} from '../api/types.ts';
import type {ClaimView, Observation, OrdinalView} from '../observe/observation.ts';
import {besideNotes} from './beside.ts';
import type {Decision} from './decision.ts';
import {blocked} from './decision.ts';
import type {FallBack} from './fallBack.ts';
import {snapshotOf} from './fallBack.ts';
import {databaseAlarmNotes, databaseAuthRefusal} from './fallBackAlarms.ts';
import {leftInWords} from './fallBackLoss.ts';
import {longerLogs} from './loss.ts';
import type {Lost} from './newClusterPlan.ts';
import {mayReturnRefusal, proposeAnew} from './newClusterPlan.ts';
import {fateOfJoiner, joinStep, lowestOf, tiedFirst} from './plan.ts';
import {authRefusal} from './preflight.ts';
import {revisionNote} from './restorePlan.ts';
import {viewOf} from './steps/common.ts';
import {unfitMembers} from './survivor.ts';
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
const storeNote = ({spec}: Observation, {candidates}: Lost): string[] => (spec.snapshot === undefined || candidates.length > 0 ? []
  : [`the store of spec.snapshot was not read for this plan: where a snapshot there may be newer than this database, set spec.strategy to RestoreSnapshot, whose plan says which it would take`]);

const hopes = 'no log can be read that a cluster can be forced from, and data of';

/** A plan to restore the survivor's own database in the place of a force, or why there is none. */
export function proposeFallBack(observation: Observation, lost: Lost, {why, survivor, candidates}: FallBack): {proposal: {plan: Plan; identity: Run['identity']}} | {refusal: Decision} {
  const {pod} = survivor;
  // A log that comes back can be forced, with all that is in it.
  const refusal = (lost.candidates.length === 0 ? mayReturnRefusal(observation, lost, {left: hopes, strategies: 'ForceNewCluster'}) : undefined) ?? unstoppable({...lost, candidates});
  if (refusal) return {refusal};
  const view = viewOf(observation, pod);
  const auth = authRefusal(observation, view) ?? databaseAuthRefusal(observation, pod);
  if (auth) return {refusal: blocked(auth.reason, auth.message)};
  const others = observation.ordinals.filter((other) => other.pod !== pod).sort(tiedFirst);
  const snapshot = snapshotOf(observation, survivor);
  const fate = (one: OrdinalView, claim: ClaimView) => (one.pod === pod ? 'a snapshot of its database is made and restored beside its data, which is then set aside on the same volume' : fateOfJoiner(claim));
  const pods = candidates.map((one) => one.pod);
  return proposeAnew(observation, lost, {
    strategy: 'RestoreSnapshot', begins: view, candidates, lowest: lowestOf(survivor), seeding: ['Inspect', 'Restore', 'StartAll', 'Decommission', ...others.map((one) => joinStep(one.pod))], loading: [],
    why: `nothing can be forced: ${why}. A snapshot is made of ${pod}'s own database instead and restored in its place, as a new cluster of one member that the others join`,
    expectedLoss: expectedLossOf(observation.status, snapshot, survivor), fate, snapshot,
    notes: [...unfitMembers(observation, lost.data), ...besideNotes(observation.ordinals, pods), ...(pods.length > 1 ? [`once they are stopped the databases of ${pods.join(', ')} are read again, and the one with most in it is taken`] : []), ...databaseAlarmNotes(observation, pod), revisionNote(observation, snapshot), ...storeNote(observation, lost)],
    approves: {why, pods: [...pods].sort(), lowest: lowestOf(survivor), snapshot},
  });
}
