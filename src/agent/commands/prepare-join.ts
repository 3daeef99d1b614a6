import {join} from 'node:path';
import {readIdentity} from '../../etcd/wal/wal.ts';
import type {Arguments} from '../arguments.ts';
import {movedSoFar, setAside, unblock} from '../aside.ts';
import {freeBytes} from '../facts.ts';
import {Refusal} from '../failure.ts';
import {refuseRunningEtcd} from '../locks.ts';
import {locateData, memberKind} from '../place.ts';
import type {DataPlace} from '../place.ts';
import type {OnStep} from '../run.ts';
import type {PrepareJoinReport} from '../report.ts';
import {statIfThere} from '../volume.ts';

/**
 * Init container of a joiner: afterwards the data directory is empty, or holds this very member's own data (the pod was restarted after
 * it had joined). Any other data is set aside first.
 */
export function prepareJoin(args: Arguments, onStep?: OnStep): PrepareJoinReport {
  const place = locateData(args, onStep);
  const member = args.member ?? '';
  refuseRunningEtcd(place);
  const start = isOwnData(place, member) ? 'Restart' : 'Join';
  if (start === 'Restart') {
    unblock(place);
  } else {
    requireSpace(place, args.needs);
    setAside(place, 'nothing');
    rememberJoin(place, member);
  }
  return {ok: true, command: 'prepare-join', run: args.run, member, start, moved: movedSoFar(place)};
}

/** Before anything is changed: a member that runs out of space while it joins would have to be taken out again. */
function requireSpace(place: DataPlace, needed: number | undefined): void {
  const free = freeBytes(place.root);
  if (needed === undefined || free >= needed) return;
  const megabytes = (bytes: number): string => `${Math.ceil(bytes / 1e6)} MB`;
  throw new Refusal(
    'NoSpace', `the volume has ${megabytes(free)} free, and the cluster's data with its log takes ${megabytes(needed)}: enlarge the volume, or remove old data that was set aside on it (.quorumrecovery)`,
    {neededBytes: needed, freeBytes: free},
  );
}

function isOwnData(place: DataPlace, member: string): boolean {
  const identity = readIdentity(place.wal.path);
  if (identity === undefined) {
    return false;
  }
  if ('error' in identity) {
    // This member has started here before. With an empty directory it would come back without the entries and votes that it gave.
    if (statIfThere(joinPath(place, member)) !== undefined) {
      throw new Refusal('Unreadable', `Member ${member} has joined from this volume before, and its WAL cannot be read now: ${identity.error}. `
        + 'It must be removed from the cluster and added again under a new ID before it may start empty.');
    }
    return false;
  }
  if (identity.memberID !== member) {
    return false;
  }
  if (memberKind(place).kind !== 'directory') {
    throw new Refusal('Conflict', `The WAL in ${place.wal.path} is member ${member}'s, but ${place.member} is not a directory: half of its data is missing.`);
  }
  return true;
}

/** From now on an etcd may write this member's WAL here. */
function rememberJoin(place: DataPlace, member: string): void {
  place.durable.makeDirectory(place.runDirectory);
  const path = joinPath(place, member);
  place.durable.createFile(path, `${JSON.stringify({run: place.run, member})}\n`, `${path}.tmp`);
}

/** How the files begin that say who has joined from a volume in a run. */
export const joinPrefix = 'join-';

function joinPath(place: DataPlace, member: string): string {
  return join(place.runDirectory, `${joinPrefix}${member}`);
}
