import {inFlight} from '../../api/progress.ts';
import {memberOfClaim} from '../../kubernetes/claims.ts';
import {isTerminating} from '../../kubernetes/ownPods.ts';
import {isServing, isLaunch} from '../../observe/observation.ts';
import type {Observation, OrdinalView, Probe} from '../../observe/observation.ts';
import {mostEntriesBehind} from '../watch/leadership.ts';
import {isReady} from '../watch/suspicion.ts';
import {wentBack} from '../watch/witness.ts';

/** A member that can be snapshotted. */
export interface Source {
  view: OrdinalView;
  answer: Extract<Probe, {kind: 'Answered'}>;
  leads: boolean;
}

/** What speaks against a snapshot now. `toldOf`: its end comes with an event or a change of the spec, or is not a matter of seconds. */
export interface NoBackup {
  why: string;
  toldOf: boolean;
}

/**
 * Why no snapshot is taken now; undefined: nothing speaks against it. Data that went back is not saved: newer snapshots of it would push
 * those of the right data out of the store.
 */
export function noBackupNow(observation: Observation): NoBackup | undefined {
  const {status, spec, resource, duplicateOf, linearizable, secretProblem, agentImage, set} = observation;
  const told = (why: string): NoBackup => ({why, toldOf: true});
  if (duplicateOf !== undefined) return told(`QuorumRecovery ${duplicateOf} is for the same StatefulSet, and was there first`);
  if (resource.metadata.deletionTimestamp !== undefined) return told('the resource is being deleted');
  // The admission policy lets pods that take backups in at any time, as they mount no volume of a member: this is what keeps that true.
  const claim = spec.snapshot?.claim?.name ?? '';
  const member = set === undefined ? undefined : memberOfClaim(set, claim);
  if (member !== undefined) return told(`claim ${claim} of spec.snapshot is a volume of ${member}: a snapshot there would go with that member. Name another claim, or a bucket`);
  if (spec.paused) return told('spec.paused is set');
  if (inFlight(status.run) !== undefined) return told('a run is in flight');
  if (agentImage === '') return told('the operator was not told its own image (AGENT_IMAGE), which the pods of the volume agent run');
  if (secretProblem !== undefined) return told(secretProblem);
  if (!linearizable) return {why: 'no quorum serves', toldOf: false};
  return status.regression !== undefined || wentBack(status, observation) ? told('the data went back, and that is not settled') : undefined;
}

/**
 * The follower that has applied the most, if it is not behind the leader and nothing is wrong with it: a snapshot keeps a read transaction
 * open and reads the whole disk, which the leader is spared. It is taken from the leader where there is no such follower.
 */
export function backupSource(observation: Observation): Source | undefined {
  const sources = observation.ordinals.flatMap((view): Source[] => {
    const {probe} = view;
    const fit = probe.kind === 'Answered' && isServing(probe.status) && isLaunch(view.launch) && view.object !== undefined && !isTerminating(view.object)
      && isReady(observation, view) && probe.status.errors.length === 0;
    return fit ? [{view, answer: probe, leads: probe.status.leader === probe.status.memberID}] : [];
  });
  const leading = sources.find(({leads}) => leads);
  const highest = Math.max(...observation.ordinals.map(({probe}) => (probe.kind === 'Answered' ? probe.status.raftIndex : 0)));
  const followers = sources.filter(({view: {pod}, answer, leads}) => !leads
    && highest - answer.status.raftAppliedIndex <= mostEntriesBehind
    && observation.status.findings?.some((finding) => finding.pod === pod) !== true);
  const [best] = followers.sort((a, b) => b.answer.status.raftAppliedIndex - a.answer.status.raftAppliedIndex || a.view.ordinal - b.view.ordinal);
  return best ?? leading;
}
