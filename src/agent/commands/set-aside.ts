import type {Arguments} from '../arguments.ts';
import {movedSoFar, setAside} from '../aside.ts';
import {refuseRunningEtcd} from '../locks.ts';
import {locateData} from '../place.ts';
import type {OnStep} from '../run.ts';
import type {SetAsideReport} from '../report.ts';

/** Takes the data out of etcd's reach, without deleting it, and leaves the guard file. */
export function setAsideCommand(args: Arguments, onStep?: OnStep): SetAsideReport {
  const place = locateData(args, onStep);
  refuseRunningEtcd(place);
  const changed = setAside(place, 'guard');
  return {ok: true, command: 'set-aside', run: args.run, moved: movedSoFar(place), guarded: true, already: !changed};
}
