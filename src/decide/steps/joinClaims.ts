import {newClaim} from '../../kubernetes/claims.ts';
import type {ClaimView, Observation, OrdinalView} from '../../observe/observation.ts';
import type {Action, Decision, Transaction} from '../decision.ts';
import {act, wait} from '../decision.ts';
import {isNamedLost} from '../evidence/membership.ts';
import {judgeProcess} from '../evidence/processes.ts';
import {joinOf, madeSinceHold, memberIDOf, recordJoin, runIn} from './common.ts';

const isLost = (claim: ClaimView, named: boolean) =>
  claim.object !== undefined && (claim.place.at === 'GoneNode' || (named && claim.place.at === 'NotReadyNode'));

/** Made for the joiner on a node that it gave back to the survivor: a volume there would tie it to that node. */
const isGivenBack = (observation: Observation, {object}: ClaimView, known: readonly string[]) =>
  known.includes(object?.metadata?.uid ?? '') && madeSinceHold(observation, object?.metadata);

/** Where only the place of its disk proves that the member has ended, the proof goes with the claim: it is recorded before. */
function keepProof(observation: Observation, view: OrdinalView): Transaction {
  const memberID = memberIDOf(observation, view.pod);
  // Where nobody knows who was a member it is the pod's last process.
  const {proven} = judgeProcess(observation, {memberID: memberID ?? '', pod: view.pod});
  const nodes = view.data?.place.at === 'GoneNode' ? view.data.place.nodes : [];
  return (draft) => {
    const record = draft.members?.find((member) => member.pod === view.pod);
    if (record === undefined || proven === undefined || record.podUID !== undefined) return;
    Object.assign(record, {...(memberID !== undefined && {memberID}), fenced: proven, ...(nodes.length === 1 && {node: nodes[0]})});
  };
}

/** Claims whose volumes are lost, or tie a joiner to the survivor's node, are made anew, the old volumes kept. The name of their pod is held, and what starts on them is a joiner. */
export function replaceClaims(observation: Observation, view: OrdinalView): Decision | undefined {
  const join = joinOf(runIn(observation), view.pod);
  const named = isNamedLost(observation, view.pod, memberIDOf(observation, view.pod));
  const known = join?.replacedClaims ?? [];
  const lost = view.claims.filter((claim) => isLost(claim, named) || isGivenBack(observation, claim, known));
  const fresh = lost.map((claim) => claim.object?.metadata?.uid ?? '').filter((uid) => !known.includes(uid));
  if (fresh.length > 0) {
    const kept = keepProof(observation, view);
    return {kind: 'record', why: `replacing ${lost.map((claim) => claim.name).join(', ')}`, record: (draft) => {
      recordJoin(view.pod, {replacedClaims: [...known, ...fresh]})(draft);
      kept(draft);
    }};
  }
  const actions: Action[] = [];
  for (const claim of lost) {
    if (claim.volume && claim.volume.spec?.persistentVolumeReclaimPolicy !== 'Retain') actions.push({type: 'RetainVolume', volume: claim.volume});
    else if (claim.object && claim.object.metadata?.deletionTimestamp === undefined) actions.push({type: 'DeleteClaim', claim: claim.object});
  }
  if (actions.length > 0) return act(`keeping the lost volumes of ${view.pod} and making its claims anew`, ...actions);
  if (lost.length > 0) return wait(`claim ${lost[0]?.name ?? ''} is going`, 100);
  const missing = view.claims.filter((claim) => claim.place.at === 'Missing');
  if (missing.length > 0 && observation.set) {
    const {set} = observation;
    return act(`making the claims of ${view.pod}`, ...missing.map((claim): Action => ({type: 'CreateClaim', claim: newClaim(set, claim.template, view.ordinal)})));
  }
  return undefined;
}
