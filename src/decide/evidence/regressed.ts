import type {Plan, QuorumRecoveryStatus} from '../../api/types.ts';
import type {Observation} from '../../observe/observation.ts';
import {regression} from '../watch/witness.ts';

type Regression = NonNullable<QuorumRecoveryStatus['regression']>;
type Member = NonNullable<Regression['members']>[number];

/**
 * Pods whose data a person gives up: they serve, or served, a cluster that went back, and spec.survivor names a member outside of it, with
 * the data from before. Their member IDs can be those of the old cluster (same peer URLs, same token), so that nothing else tells its data
 * from theirs. Empty without that word, and once the new cluster is there.
 */
export function givenUp(observation: Observation): string[] {
  const {spec, status, ordinals, dataCompared} = observation;
  const chosen = spec.survivor?.pod;
  if (chosen === undefined || status.run?.force?.endedAt !== undefined || dataCompared?.same === true) return [];
  const members = status.regression?.members ?? regression(observation)?.members ?? [];
  const same = members.filter(({pod, claimUID}) => ordinals.some((view) => view.pod === pod && view.data?.object?.metadata?.uid === claimUID)).map(({pod}) => pod);
  return same.includes(chosen) ? [] : same;
}

/**
 * What stands of data that went back, after a look: it is over once a quorum serves data that did not, and all members have the same. That
 * nothing serves is no proof of it, and no more is a quorum: raft takes logs for the same whose terms are, and mixes the one data with the other.
 */
export function settleRegression(draft: QuorumRecoveryStatus, observation: Observation): void {
  const {dataCompared, now} = observation;
  const back = regression(observation);
  if (back !== undefined) draft.regression = {since: draft.regression?.since ?? new Date(now).toISOString(), message: back.message, members: serving(draft, back.members)};
  else if (draft.regression !== undefined && dataCompared !== undefined) {
    if (dataCompared.same) delete draft.regression;
    else draft.regression.message = differs(draft.regression, dataCompared.words);
  }
}

/** Who was seen first stays; a member on the volume that the witness knows, who comes later, is the one with the old data, which follows without a word. */
function serving({regression: before, lastHealthy}: QuorumRecoveryStatus, now: Member[]): Member[] {
  const known = before?.members;
  if (known === undefined) return now;
  const isOld = ({pod, claimUID}: Member) => lastHealthy?.members.some((seen) => seen.pod === pod && seen.claimUID === claimUID) === true;
  const there = now.filter((one) => known.some(({pod}) => pod === one.pod) || !isOld(one));
  return [...known.filter(({pod}) => !there.some((one) => one.pod === pod)), ...there].sort((a, b) => (a.pod < b.pod ? -1 : 1));
}

const differs = ({members = []}: Regression, words: string): string =>
  `a quorum serves at the revision from before again, but not all of its members have the same data: ${words}. ${members.map(({pod}) => pod).join(', ')} served a cluster that had gone back, and etcd does not tell. Stop the writers, and name the member whose data is right in spec.survivor and ask for a run (spec.trigger.request); its plan is told first, and carried out only once you approve it`;

/** What goes with the cluster that is given up, as a sentence after another one; empty: none is. */
export const givenUpLoss = (plan: Pick<Plan, 'givenUp'> | undefined): string => (plan?.givenUp === undefined ? ''
  : ` What was written since into the cluster that went back (${plan.givenUp.join(', ')}) is not in the new one: that data is set aside on its own volumes, and kept there for preserve.retention.`);
