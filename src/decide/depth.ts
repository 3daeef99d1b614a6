import {approveStep, isPlanning} from '../api/progress.ts';
import type {QuorumRecoveryStatus} from '../api/types.ts';
import type {Depth} from '../observe/observe.ts';
import {podOfJoinStep} from './plans/plan.ts';
import {askedByProof} from './steps/verify.ts';
import {behaviourIn, startsAnew} from './strategies.ts';

/** Steps that decide by what etcd says ask it; the others must not wait for members that are silent. */
export function depthFor(status: QuorumRecoveryStatus): Depth {
  const {run} = status;
  if (run === undefined || run.finishedAt !== undefined || run.plan === undefined) return 'Members';
  const step = run.steps.find((candidate) => candidate.state !== 'Done' && candidate.state !== 'Deferred')?.name ?? 'Release';
  // Before the new cluster serves nobody is to be asked, and it is waited for by its own proof.
  if (startsAnew(run) && !isPlanning(run) && run.newCluster?.servedAt === undefined) return 'Kubernetes';
  // It works through whoever serves.
  if (behaviourIn(run)?.throughAny === true) return 'Members';
  if (step === 'Plan' || step === approveStep) return 'Members';
  if (step === 'RestartProof') {
    const only = askedByProof(status);
    return only === undefined ? 'Members' : {only};
  }
  // What the survivor's own pod says of its list tells whether a pod that somebody added is a member.
  if (step === 'Decommission' || podOfJoinStep(step) !== undefined) return {only: [run.plan.survivor]};
  return 'Kubernetes';
}
