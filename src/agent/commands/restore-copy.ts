import type {Arguments} from '../arguments.ts';
import {refuseRunningEtcd} from '../locks.ts';
import {locateData} from '../place.ts';
import type {OnStep} from '../run.ts';
import type {RestoreCopyReport} from '../report.ts';
import {restoreCopy} from '../restoring.ts';

/** The way back: sets aside what is there, and puts the data of the run's copy in its place. */
export function restoreCopyCommand(args: Arguments, onStep?: OnStep): RestoreCopyReport {
  const place = locateData(args, onStep);
  refuseRunningEtcd(place);
  return {ok: true, command: 'restore-copy', run: args.run, ...restoreCopy(place, args.attempt ?? 1)};
}
