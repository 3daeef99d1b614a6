import type {Plan, PlanSnapshot, Run} from '../../api/types.ts';
import type {Observation, OrdinalView} from '../../observe/observation.ts';
import type {Decision} from '../decision.ts';
import {blocked} from '../decision.ts';
import {highestForClients, highestRevision} from '../evidence/loss.ts';
import type {Lost} from './newClusterPlan.ts';
import {claimFate, proposeAnew, readForPlan, whyAnew} from './newClusterPlan.ts';
import {baseMargin} from './revisions.ts';
import {unseenMargin} from './restoreRevision.ts';
import {asksRestore} from '../strategies.ts';
import {askedFor, refusedInWords, snapshotInWords} from './stored.ts';

/** Whether a cluster that is lost for good is restored from a snapshot: it was asked for, or no data is left and there is a store. */
export const restores = ({spec}: Pick<Observation, 'spec'>, {candidates}: Pick<Lost, 'candidates'>): boolean =>
  spec.strategy === 'RestoreSnapshot' || (asksRestore(spec) && candidates.length === 0);

/** What a person loses by it, as far as anybody saw. */
function expectedLoss({status}: Observation, {revision, takenAt}: PlanSnapshot, {candidates}: Lost): string {
  const highest = highestRevision(status);
  const since = takenAt === undefined ? '' : ` at ${takenAt}`;
  const left = candidates.map(({pod, revision: at}) => `${pod} (revision ${at})`).join(', ');
  const given = left === '' ? '' : ` Data that a cluster could be forced from is left, and is set aside for the snapshot: ${left}.`;
  const unseen = 'What was written after that was seen is lost too, and nobody can tell how much it was.';
  const {lastHealthy, lastServed} = status;
  const seenAt = [lastHealthy?.observedAt, lastServed?.at].filter((at) => at !== undefined).sort().at(-1);
  if (highest === 0) return `everything that was written after the snapshot was taken${since} (revision ${revision}). This resource never saw the cluster, so how much that is cannot be told.${given}`;
  const behind = Math.max(0, highest - revision);
  const seen = seenAt === undefined ? `revision ${highest} was seen` : `revision ${highest} was seen, at ${seenAt} the last time`;
  return `everything that was written after the snapshot was taken${since} (revision ${revision}); ${seen}: ${behind === 0 ? 'none of that is missing' : `${behind} revisions of it are lost`}. ${unseen}${given}`;
}

const fate = (view: OrdinalView): string => claimFate(view, {anew: 'the snapshot is restored on it', inPlace: 'the snapshot is restored in its place'});

/** How the revision goes on. Without times and rates: a plan that waits for approval is made again and again. */
export function revisionNote({status, spec}: Observation, {revision}: PlanSnapshot): string {
  const known = Math.max(revision, highestForClients(status), spec.minRevision ?? 0);
  const margin = status.lastServed !== undefined || spec.minRevision !== undefined ? `past ${known}, with a margin of ${baseMargin} and more for the time since` : `to ${known + unseenMargin}, because nobody saw how far clients had seen`;
  return `the revision is moved ${margin}, and everything before is marked as compacted: no client sees a revision twice, every older watch ends, and its client lists again`;
}

/** A person has named somebody else's, or one that nothing proves to be this cluster's: that is read again before it is approved. */
function foreignNote({memberships}: Lost, {name, clusterID}: PlanSnapshot): string[] {
  const known = memberships.find((one) => one.givenUp === undefined && one.clusterID !== undefined)?.clusterID;
  if (known === undefined || clusterID === undefined || clusterID === known) return [];
  return [`snapshot ${name} is of cluster ${clusterID}, and this cluster was ${known}: it is taken because spec.snapshot.name names it`];
}

const askAgain = readForPlan('stored', 'the store of snapshots is to be read again');

const wayOut = 'Name another snapshot (spec.snapshot.name) or another store, or put a snapshot there. It is looked at again every two minutes';

/** A plan to restore a snapshot on all claims, or why there is none. */
export function proposeRestore(observation: Observation, lost: Lost): {proposal: {plan: Plan; identity: Run['identity']}} | {refusal: Decision} {
  const {spec, status: {run}} = observation;
  if (spec.snapshot === undefined) return {refusal: blocked('NoSnapshot', 'spec.strategy is RestoreSnapshot, and spec.snapshot says nothing of where snapshots are. Name a bucket or a claim there; nothing was touched')};
  const {stored} = run ?? {};
  if (stored === undefined || stored.asked !== askedFor(observation)) return {refusal: askAgain};
  const refused = refusedInWords(stored);
  const {snapshot, problem} = stored;
  if (snapshot === undefined) {
    const words = [problem === undefined ? 'the store holds no snapshot' : `${problem.reason}: ${problem.message}`, ...refused].join('; ');
    return {refusal: blocked('NoSnapshot', `no snapshot can be restored: ${words}. Nothing was touched. ${wayOut}`)};
  }
  const left = whyAnew(lost, 'no data is left that a cluster can start from');
  return proposeAnew(observation, lost, {
    strategy: 'RestoreSnapshot', seeding: ['Restore', 'StartAll'], loading: [], why: `${left}: ${snapshotInWords(snapshot)} is restored on every claim at once`,
    expectedLoss: expectedLoss(observation, snapshot, lost), fate, notes: [...foreignNote(lost, snapshot), ...refused, revisionNote(observation, snapshot)], snapshot,
    approves: {name: snapshot.name, sha256: snapshot.sha256, revision: snapshot.revision, takenAt: snapshot.takenAt},
  });
}
