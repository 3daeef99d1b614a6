import {createHash} from 'node:crypto';
import type {V1StatefulSet} from '@kubernetes/client-node';
import type {Plan} from '../api/types.ts';
import type {Observation, OrdinalView} from '../observe/observation.ts';
import {describePlace} from '../observe/places.ts';
import type {Assessment} from './assess.ts';
import type {Candidate} from './survivor.ts';
import {whyFirst} from './survivor.ts';

/** Stable text of any JSON value: object keys sorted. */
export function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (value instanceof Date) return JSON.stringify(value);
  if (value !== null && typeof value === 'object') {
    const entries = Object.entries(value).filter(([, inner]) => inner !== undefined).sort(([a], [b]) => (a < b ? -1 : 1));
    return `{${entries.map(([key, inner]) => `${JSON.stringify(key)}:${canonical(inner)}`).join(',')}}`;
  }
  return JSON.stringify(value);
}

export const sha256 = (value: unknown) => `sha256-${createHash('sha256').update(canonical(value)).digest('hex').slice(0, 32)}`;

/** Fingerprint of the StatefulSet's spec: it must be the same before and after a run. */
export const setSpecHash = (set: V1StatefulSet) => sha256(set.spec);

export const joinStep = (pod: string) => `Join ${pod}`;
export const podOfJoinStep = (step: string) => (step.startsWith('Join ') ? step.slice('Join '.length) : undefined);

/** Steps of a ForceNewCluster run, in order. */
export function stepsFor(observation: Observation, survivor: string, candidates: readonly Candidate[], restartProof: boolean): string[] {
  // Members whose volumes tie them to a node come first: one that may run anywhere could take that node from them.
  const tied = (view: OrdinalView) => (view.data?.place.at === 'Node' ? 0 : 1);
  const others = observation.ordinals.filter((view) => view.pod !== survivor).sort((a, b) => tied(a) - tied(b)).map((view) => view.pod);
  return [
    'Plan', 'Hold', 'Stop', ...(candidates.length > 1 ? ['Inspect'] : []), 'Force', 'EndForce', 'StartSurvivor', 'Decommission',
    ...others.map(joinStep), ...(restartProof && others.length >= 2 ? ['RestartProof'] : []), 'Verify', 'Release',
  ];
}

/** What will happen to each claim beside the survivor's. */
function claimNotes(observation: Observation, survivor: string): string[] {
  return observation.ordinals.filter((view) => view.pod !== survivor && view.data !== undefined).map((view) => {
    const claim = view.data;
    const fate = claim?.place.at === 'GoneNode' ? 'its volume is kept (Retain) and the claim is made anew when the member joins'
      : claim?.place.at === 'Missing' || claim?.place.at === 'Unbound' ? 'a new volume is provisioned'
        : 'its data is set aside on the same volume';
    return `claim ${claim?.name ?? ''}: ${claim ? describePlace(claim.place) : ''}; ${fate}`;
  });
}

/** The plan of a run: data, with a hash over what matters (DESIGN section 4). */
export function makePlan(observation: Observation, lost: Extract<Assessment, {kind: 'lost'}>, survivor: Candidate, notes: readonly string[]): Plan {
  const {set, spec, templates} = observation;
  const others = lost.fencing.processes.filter((verdict) => verdict.pod !== survivor.pod);
  const fenced = others.map((verdict) => ({
    pod: verdict.pod,
    ...(verdict.memberID !== '' && {memberID: verdict.memberID}),
    fenced: verdict.proven?.by ?? (verdict.stoppable ? 'ToBeStopped' : 'Unproven'),
  }));
  const byPod = new Map(fenced.map((entry) => [entry.pod, entry]));
  const candidates = lost.candidates.map((candidate) => candidate.pod);
  const steps = stepsFor(observation, survivor.pod, lost.candidates, spec.verification.restartProof);
  const why = spec.survivor !== undefined ? `spec.survivor names ${survivor.pod}` : whyFirst(lost.candidates);
  const matters = {
    strategy: 'ForceNewCluster', candidates: spec.survivor ? [spec.survivor.pod] : candidates, fenced: [...byPod.values()],
    memberships: lost.memberships.map(({clusterID, voters}) => ({clusterID, voters: voters.map((voter) => voter.memberID).sort()})),
  };
  return {
    hash: sha256(matters), strategy: 'ForceNewCluster', survivor: survivor.pod, candidates, why, lost: [...byPod.values()], steps,
    notes: [...notes, ...claimNotes(observation, survivor.pod)],
    setUID: set?.metadata?.uid ?? '', setSpecHash: set ? setSpecHash(set) : '', revision: templates?.of(observation.ordinals[0]?.ordinal ?? 0).revision ?? '',
  };
}
