import type {Outcome} from '../decide/decision.ts';
import {isAlreadyExists, isConflict, isForbidden, isInvalid, isNotServed} from '../kubernetes/errors.ts';
import type {VolumeSnapshot} from '../kubernetes/volumeSnapshots.ts';
import type {Acting} from './context.ts';
import {finished, refused} from './context.ts';

export async function createVolumeSnapshot({client}: Acting, snapshot: VolumeSnapshot): Promise<Outcome> {
  try {
    await client.create('VolumeSnapshot', snapshot);
  } catch (error) {
    // A run that was killed has made it already.
    if (isAlreadyExists(error)) return finished();
    if (!isForbidden(error) && !isInvalid(error) && !isNotServed(error)) throw error;
    return refused('SnapshotFailed', `the API server refuses VolumeSnapshot ${snapshot.metadata?.name ?? ''}: ${error.message}. Nothing was changed on the volume; every name is held`);
  }
  return finished();
}

/** Its time is over. One that is gone, or is another by now, or whose API is, needs nothing. */
export async function deleteVolumeSnapshot({client, observation}: Acting, {name, uid}: {name: string; uid: string}): Promise<Outcome> {
  try {
    await client.delete('VolumeSnapshot', observation.resource.metadata.namespace ?? 'default', name, {uid});
  } catch (error) {
    if (!isConflict(error)) throw error;
  }
  return finished();
}
