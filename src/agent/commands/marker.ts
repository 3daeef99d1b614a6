import type {Arguments} from '../arguments.ts';
import {sealRun, spendMarker} from '../marker.ts';
import {locate} from '../place.ts';
import type {OnStep} from '../run.ts';
import type {SealReport, SpendReport} from '../report.ts';

/** Allows one pod, and no other, to start etcd with the force flag in this attempt. */
export function spend(args: Arguments, onStep?: OnStep): SpendReport {
  const facts = spendMarker(locate(args, onStep), args.attempt ?? 0, args.pod ?? '');
  return {ok: true, command: 'spend', run: args.run, ...facts};
}

/** Ends the time of forcing for this run. */
export function seal(args: Arguments, onStep?: OnStep): SealReport {
  return {ok: true, command: 'seal', run: args.run, already: !sealRun(locate(args, onStep))};
}
