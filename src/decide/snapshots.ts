import type {Run} from '../api/types.ts';
import {newVolumeSnapshot, volumeSnapshotName} from '../kubernetes/volumeSnapshots.ts';
import type {VolumeSnapshot} from '../kubernetes/volumeSnapshots.ts';
import type {ClaimView, Observation, OrdinalView} from '../observe/observation.ts';
import type {Action, Decision} from './decision.ts';
import {act, blocked, wait} from './decision.ts';
import type {Refusal} from './plans/preflight.ts';
import {runIn, survivorOf} from './steps/common.ts';

/** A snapshot that is not taken after this time, ms, needs someone to look. */
const patienceMs = 120_000;

/** The survivor's data, and its log where that is on a claim of its own. */
const claimsOf = ({data, wal}: OrdinalView): ClaimView[] => [data, wal].filter((claim) => claim !== undefined);

const wayOut = 'or set spec.preserve.mode to Copy';

/** The class that a claim's snapshot is taken by: as the snapshot controller chooses, but said before anything is touched. */
function classFor({spec, storage: {snapshots}}: Observation, {volume}: ClaimView): {className: string} | {problem: string} {
  if (snapshots.problem !== undefined) return {problem: `${snapshots.problem}. Install the CRDs and the snapshot controller, ${wayOut}`};
  const driver = volume?.spec?.csi?.driver;
  if (driver === undefined) return {problem: `its volume ${volume?.metadata?.name ?? ''} is of no CSI driver, and only those take snapshots. Set spec.preserve.mode to Copy`};
  const named = spec.preserve.volumeSnapshotClassName;
  const classes = snapshots.classes.filter((one) => one.driver === driver);
  if (named !== undefined) {
    if (classes.some((one) => one.name === named)) return {className: named};
    const other = snapshots.classes.find((one) => one.name === named);
    const why = other === undefined ? `VolumeSnapshotClass ${named} does not exist` : `VolumeSnapshotClass ${named} is of driver ${other.driver}, its volume of ${driver}`;
    return {problem: `${why}. Classes of ${driver}: ${classes.map((one) => one.name).join(', ') || 'none'}. Set spec.preserve.volumeSnapshotClassName to one of them, ${wayOut}`};
  }
  const defaults = classes.filter((one) => one.isDefault).map((one) => one.name);
  if (defaults.length === 1 && defaults[0] !== undefined) return {className: defaults[0]};
  const why = defaults.length === 0 ? `no VolumeSnapshotClass is the default one of driver ${driver} (there are: ${classes.map((one) => one.name).join(', ') || 'none'})` : `more than one VolumeSnapshotClass is the default one of driver ${driver}: ${defaults.join(', ')}`;
  return {problem: `${why}. Set spec.preserve.volumeSnapshotClassName, ${wayOut}`};
}

/** Whether snapshots of the survivor can be taken, asked while nothing has been touched. */
export function snapshotRefusal(observation: Observation, survivor: OrdinalView): Refusal | undefined {
  if (observation.spec.preserve.mode !== 'VolumeSnapshot') return undefined;
  for (const claim of claimsOf(survivor)) {
    const chosen = classFor(observation, claim);
    if ('problem' in chosen) return {reason: 'SnapshotUnavailable', message: `no VolumeSnapshot can be taken of claim ${claim.name} (spec.preserve.mode): ${chosen.problem}`};
  }
  return undefined;
}

/** What a plan says of the snapshots that it will take. */
export function snapshotNotes(observation: Observation, survivor: OrdinalView): string[] {
  if (observation.spec.preserve.mode !== 'VolumeSnapshot') return [];
  return claimsOf(survivor).flatMap((claim) => {
    const chosen = classFor(observation, claim);
    return 'problem' in chosen ? [] : [`VolumeSnapshot ${volumeSnapshotName(claim.name, runIn(observation).id)} (class ${chosen.className}) of claim ${claim.name} is taken once ${survivor.pod} is proven stopped, and before its data is changed`];
  });
}

/** The moment of the cut, by CSI's CreateSnapshot; what follows it (an upload) does not look at the volume any more: docs/adr/0018. */
function cutOf({metadata, status}: VolumeSnapshot): string | undefined {
  return metadata?.deletionTimestamp === undefined && status?.boundVolumeSnapshotContentName !== undefined ? status.creationTime : undefined;
}

type Taken = NonNullable<Run['volumeSnapshots']>[number];

/** What holds the force back until the storage has taken a snapshot of all that it will change; undefined: nothing, or not any more. */
export function untilSnapshot(observation: Observation): Decision | undefined {
  const {spec, storage: {snapshots}, status} = observation;
  if (spec.preserve.mode !== 'VolumeSnapshot') return undefined;
  const run = runIn(observation);
  const survivor = survivorOf(observation);
  const recorded = (claim: ClaimView) => run.volumeSnapshots?.find((one) => one.claim === claim.name && one.claimUID === claim.object?.metadata?.uid);
  const claims = claimsOf(survivor);
  // The data may be changed by now: a snapshot that somebody takes away after that is not made again.
  if (run.force?.turnGiven && claims.every(recorded)) return undefined;
  const found = claims.map((claim) => ({claim, snapshot: snapshots.taken.find(({metadata}) => metadata?.name === volumeSnapshotName(claim.name, run.id))}));
  const missing = found.filter(({snapshot}) => snapshot === undefined).map(({claim}) => claim);
  if (missing.length > 0) return take(observation, survivor, missing);
  const pending = found.filter(({snapshot}) => snapshot === undefined || cutOf(snapshot) === undefined);
  for (const {snapshot} of pending) if (snapshot !== undefined) return waitFor(snapshot, observation.now);
  const taken = found.map(({claim, snapshot}): Taken => ({
    claim: claim.name, pod: survivor.pod, claimUID: claim.object?.metadata?.uid ?? '', name: snapshot?.metadata?.name ?? '', uid: snapshot?.metadata?.uid ?? '',
    cutAt: snapshot === undefined ? '' : cutOf(snapshot) ?? '',
  }));
  if (taken.every((one) => status.run?.volumeSnapshots?.some((known) => known.uid === one.uid))) return undefined;
  return {
    kind: 'record', why: taken.map((one) => `VolumeSnapshot ${one.name} of claim ${one.claim} was taken at ${one.cutAt}`).join(', '),
    record: (draft) => { if (draft.run) draft.run.volumeSnapshots = taken; },
  };
}

function take(observation: Observation, survivor: OrdinalView, claims: readonly ClaimView[]): Decision {
  const {resource: {metadata}} = observation;
  const actions: Action[] = [];
  for (const claim of claims) {
    const chosen = classFor(observation, claim);
    if ('problem' in chosen) return blocked('SnapshotFailed', `no VolumeSnapshot can be taken of claim ${claim.name} any more: ${chosen.problem}. Nothing was changed on it; every name is held`);
    actions.push({type: 'CreateVolumeSnapshot', snapshot: newVolumeSnapshot({
      namespace: metadata.namespace ?? 'default', resource: metadata.name ?? '', run: runIn(observation).id, pod: survivor.pod, claim: claim.name, className: chosen.className,
    })});
  }
  return act(`taking a VolumeSnapshot of claim ${claims.map(({name}) => name).join(' and ')} before anything is changed`, ...actions);
}

function waitFor({metadata, spec, status}: VolumeSnapshot, now: number): Decision {
  const what = `VolumeSnapshot ${metadata?.name ?? ''} of claim ${spec.source.persistentVolumeClaimName ?? ''}`;
  const held = 'Nothing was changed on the volume; every name is held, and the run goes on once the snapshot is taken';
  if (metadata?.deletionTimestamp !== undefined) return wait(`${what} is being deleted: another one is taken once it is gone`, 500);
  if (status?.error?.message !== undefined) return blocked('SnapshotFailed', `${what} cannot be taken: ${status.error.message}. ${held}`);
  const age = now - new Date(metadata?.creationTimestamp ?? now).getTime();
  if (age < patienceMs) return wait(`${what} is being taken by the storage`);
  const silence = status === undefined ? 'nobody has looked at it: is the snapshot controller running?' : 'the CSI driver has not said that it is taken: is its csi-snapshotter running?';
  return blocked('SnapshotFailed', `${what} was asked for ${Math.round(age / 1000)} s ago, and ${silence} ${held}`);
}

/** Where the survivor's data is as it was before the force, in words. */
export function keptWhere(run: Pick<Run, 'force' | 'volumeSnapshots'> | undefined): string {
  if (run?.force?.copy !== undefined) return `a copy of this data is on its volume (${run.force.copy})`;
  const names = (run?.volumeSnapshots ?? []).map(({name}) => name);
  return names.length > 0 ? `this data is in VolumeSnapshot ${names.join(' and ')}` : 'no copy of this data was made (preserve.mode: Skip)';
}
