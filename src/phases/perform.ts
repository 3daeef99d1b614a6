import type {Action, Outcome} from '../decide/decision.ts';
import {rejectedWords} from '../decide/refusals.ts';
import {isEtcdError} from '../etcd/errors.ts';
import type {Acting} from './context.ts';
import {again, refused} from './context.ts';
import {returnDependent, stopDependent, tryDependents} from './dependents.ts';
import {checkForced, proveWrite} from './forcing.ts';
import {dropFence, giveTurn, proveHold, releasePod, replacePod, stopPod, ungatePod} from './holding.ts';
import {checkKeys, createJob, loadKeys} from './loading.ts';
import {moveLeader} from './leading.ts';
import {proveNewCluster} from './newCluster.ts';
import {createClaim, createPod, deleteClaim, deletePod, dryRunPods, retainVolume} from './objects.ts';
import {offerReader, readEtcdutl} from './reading.ts';
import {addLearner, promoteLearner, removeMember, removeProbeKey} from './rejoining.ts';
import {removeVoter} from './removing.ts';
import {moveRevision} from './revisions.ts';
import {takeSnapshot} from './snapshotting.ts';
import {verifyMembers} from './verifying.ts';
import {createVolumeSnapshot, deleteVolumeSnapshot} from './volumeSnapshots.ts';

/** Does one action. Errors of the API server and of etcd that a repeat cannot mend are thrown; the reconcile reports them. */
export async function perform(acting: Acting, action: Action): Promise<Outcome> {
  if (acting.signal.aborted) return again('this operator is not the leader any more', 1_000);
  try {
    return await begin(acting, action);
  } catch (error) {
    if (!isEtcdError(error, 'Unauthenticated', 'PermissionDenied', 'Certificate')) throw error;
    return refused('CredentialsRejected', rejectedWords(acting.observation, error.message, error.kind === 'Certificate'));
  }
}

async function begin(acting: Acting, action: Action): Promise<Outcome> {
  switch (action.type) {
    case 'ProveHold': return await proveHold(acting, action.pods);
    case 'DryRunPods': return await dryRunPods(acting, action.pods);
    case 'StopPod': return await stopPod(acting, action.pod, action.graceSeconds);
    case 'ReleasePod': return await releasePod(acting, action.pod, action.force);
    case 'CreatePod': return await createPod(acting, action.pod);
    case 'DeletePod': return await deletePod(acting, action.pod);
    case 'TakeSnapshot': return await takeSnapshot(acting, action.of, action.pod);
    case 'OfferReader': return await offerReader(acting, action.pod, action.of);
    case 'ReadEtcdutl': return await readEtcdutl(acting, action.pod, action.of, action.facts);
    case 'ReplacePod': return await replacePod(acting, action.pod, action.by);
    case 'GiveTurn': return await giveTurn(acting, action.pod, action.turn);
    case 'UngatePod': return await ungatePod(acting, action.pod);
    case 'DropFence': return await dropFence(acting, action.pod);
    case 'RetainVolume': return await retainVolume(acting, action.volume);
    case 'DeleteClaim': return await deleteClaim(acting, action.claim);
    case 'CreateClaim': return await createClaim(acting, action.claim);
    case 'CreateVolumeSnapshot': return await createVolumeSnapshot(acting, action.snapshot);
    case 'DeleteVolumeSnapshot': return await deleteVolumeSnapshot(acting, action);
    case 'CheckForced': return await checkForced(acting, action.pod);
    case 'MoveRevision': return await moveRevision(acting, action.pod, action.target);
    case 'ProveNewCluster': return await proveNewCluster(acting, action.pods, action);
    case 'ProveWrite': return await proveWrite(acting, action.pod);
    case 'AddLearner': return await addLearner(acting, action.via, action.pod, action.peerURLs);
    case 'RemoveMember': return await removeMember(acting, action.via, action.memberID, action.pod);
    case 'RemoveVoter': return await removeVoter(acting, action);
    case 'PromoteLearner': return await promoteLearner(acting, action.via, action.memberID, action.pod);
    case 'VerifyMembers': return await verifyMembers(acting, action);
    case 'LoadKeys': return await loadKeys(acting, action.source);
    case 'CheckKeys': return await checkKeys(acting, action.check);
    case 'CreateJob': return await createJob(acting, action.job);
    case 'TryDependents': return await tryDependents(acting, action.dependents);
    case 'StopDependent': return await stopDependent(acting, action.dependent);
    case 'ReturnDependent': return await returnDependent(acting, action.dependent, action.replicas);
    case 'RemoveProbeKey': return await removeProbeKey(acting, action.via);
    case 'MoveLeader': return await moveLeader(acting, action.from, action.memberID);
  }
}
