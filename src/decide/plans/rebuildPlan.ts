import type {AgentFailureReason} from '../../agent/report.ts';
import type {Plan, Run} from '../../api/types.ts';
import type {Observation, OrdinalView} from '../../observe/observation.ts';
import type {Decision} from '../decision.ts';
import {blocked} from '../decision.ts';
import {chooseFirst} from '../evidence/firstMembers.ts';
import {highestRevision} from '../evidence/loss.ts';
import type {Lost} from './newClusterPlan.ts';
import {claimFate, proposeAnew, readForPlan, whyAnew} from './newClusterPlan.ts';
import {dumpsUnread, plannedSources, sourceRefusal, sourcesOf} from './rebuildSources.ts';
import {askedFor, refusedInWords} from './stored.ts';
import {asksRebuild, asksRestore} from '../strategies.ts';

/**
 * The store was read, and the agent found nothing in it that can be restored. One that cannot be read may hold the best of all, and where a
 * person named a snapshot that is not there, others may be.
 */
function nothingStored(observation: Observation): boolean {
  const {stored} = observation.status.run ?? {};
  if (stored === undefined || stored.asked !== askedFor(observation) || observation.spec.snapshot?.name !== undefined) return false;
  return stored.snapshot === undefined && stored.problem?.reason === ('NoSnapshot' satisfies AgentFailureReason);
}

/** Whether a cluster that is lost for good is made anew from what spec.rebuild names: it was asked for, or neither data nor a snapshot is left. */
export function rebuilds(observation: Observation, {candidates}: Pick<Lost, 'candidates'>): boolean {
  const {spec} = observation;
  if (spec.strategy === 'RebuildFromConfig') return true;
  return asksRebuild(spec) && candidates.length === 0 && (!asksRestore(spec) || nothingStored(observation));
}

/** A person reads here what there will be afterwards, and that it is all. */
function expectedLoss({status}: Observation, sources: NonNullable<Plan['rebuild']>, {candidates}: Lost): string {
  const highest = highestRevision(status);
  const left = candidates.map(({pod, revision}) => `${pod} (revision ${revision})`).join(', ');
  const given = left === '' ? '' : ` Data that a cluster could be forced from is left, and is set aside for the sources: ${left}.`;
  const seen = highest === 0 ? '' : ` (revision ${highest} was seen)`;
  return `everything that is not in the sources ${sources.map(({name, from, keys}) => `${name} (${from}${keys === undefined ? '' : `, ${keys} key${keys === 1 ? '' : 's'}`})`).join(', ')}: keys that others wrote${seen}, leases, users and roles. All data is set aside on its volumes and kept, never deleted.${given}`;
}

function fate(view: OrdinalView, first: readonly string[] | undefined): string {
  const later = first?.includes(view.pod) === false;
  const joins = 'once the new cluster is loaded';
  return claimFate(view, {anew: `the member ${later ? `joins with it ${joins}` : 'starts empty on it'}`, inPlace: `the member ${later ? `joins ${joins}` : 'starts empty'}`});
}

/** Who begins, and what becomes of the others. */
function firstNote({ordinals}: Observation, first: readonly string[]): string {
  const later = ordinals.map(({pod}) => pod).filter((pod) => !first.includes(pod));
  return `${first.join(', ')} begin the new cluster, and ${later.join(', ')} join${later.length === 1 ? 's' : ''} it as ${later.length === 1 ? 'a learner' : 'learners'}, one after the other, once it is loaded and checked. Where one that is to begin has no place by then, the next of the others that has one takes its turn`;
}

const readAgain = readForPlan('dumps', 'the dumps are to be read again');

const revisionNote = 'revisions begin anew at 1: a client that watches from an older revision hears nothing before the new cluster gets there. Name such clients in spec.dependents, which are stopped before and list again when they come back, or restart them';

/** A plan to start an empty cluster and to load it, or why there is none. */
export function proposeRebuild(observation: Observation, lost: Lost): {proposal: {plan: Plan; identity: Run['identity']}} | {refusal: Decision} {
  const {rebuild} = observation.spec;
  if (rebuild === undefined) return {refusal: blocked('SourceUnusable', 'spec.strategy is RebuildFromConfig, and spec.rebuild names no source. Name what the new cluster is to be loaded with; nothing was touched')};
  if (dumpsUnread(observation)) return {refusal: readAgain};
  const refused = sourceRefusal(observation, 'Nothing was touched');
  if (refused) return {refusal: refused};
  const sources = plannedSources(observation);
  const first = chooseFirst(observation, lost.fencing);
  const left = whyAnew(lost, 'no data is left that a cluster can start from, and no snapshot');
  const proposed = proposeAnew(observation, lost, {
    strategy: 'RebuildFromConfig', seeding: ['StartEmpty'], loading: ['Load', 'Check'], why: `${left}: an empty cluster is started on ${first === undefined ? 'every claim at once' : first.join(', ')}, and loaded from ${sources.map(({name}) => name).join(', ')}`,
    expectedLoss: expectedLoss(observation, sources, lost), fate: (view) => fate(view, first), ...(first && {first}), notes: [...(first === undefined ? [] : [firstNote(observation, first)]), ...refusedInWords({refused: observation.status.run?.stored?.refused ?? []}), revisionNote],
    // What stands in the sources, and not only how much: other values are another cluster.
    approves: {rebuild, sources, hashes: sourcesOf(observation).map(({name, hash}) => ({name, hash}))},
  });
  if ('refusal' in proposed) return proposed;
  return {proposal: {...proposed.proposal, plan: {...proposed.proposal.plan, rebuild: sources}}};
}
