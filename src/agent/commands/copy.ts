import type {Arguments} from '../arguments.ts';
import {copyData} from '../copying.ts';
import {refuseRunningEtcd} from '../locks.ts';
import {locateData} from '../place.ts';
import type {OnStep} from '../run.ts';
import type {CopyReport} from '../report.ts';

/** Keeps a copy of the data as it is now, before anything changes it. */
export function copy(args: Arguments, onStep?: OnStep): CopyReport {
  const place = locateData(args, onStep);
  refuseRunningEtcd(place);
  return {ok: true, command: 'copy', run: args.run, ...copyData(place)};
}
