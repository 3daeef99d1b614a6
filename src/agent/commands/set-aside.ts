import {readdirSync} from 'node:fs';
import type {Arguments} from '../arguments.ts';
import {movedSoFar, setAside} from '../aside.ts';
import {Refusal} from '../failure.ts';
import {refuseRunningEtcd} from '../locks.ts';
import {locateData} from '../place.ts';
import type {DataPlace} from '../place.ts';
import type {OnStep} from '../run.ts';
import type {SetAsideReport} from '../report.ts';
import {statIfThere} from '../volume.ts';
import {joinPrefix} from './prepare-join.ts';

/** Takes the data out of etcd's reach, without deleting it, and leaves the guard file. */
export function setAsideCommand(args: Arguments, onStep?: OnStep): SetAsideReport {
  const place = locateData(args, onStep);
  refuseRunningEtcd(place);
  if (hasJoined(place)) {
    throw new Refusal('Conflict', `A member has joined on this volume in run ${args.run}: what is on it now is not the old data, and nothing was changed. This agent comes too late.`);
  }
  const changed = setAside(place, 'guard');
  return {ok: true, command: 'set-aside', run: args.run, moved: movedSoFar(place), guarded: true, already: !changed};
}

/** Another pod that an operator made before it was deposed, and that a kubelet starts only now, would guard the new member's own place. */
const hasJoined = ({runDirectory}: DataPlace): boolean =>
  statIfThere(runDirectory)?.isDirectory() === true && readdirSync(runDirectory).some((name) => name.startsWith(joinPrefix));
