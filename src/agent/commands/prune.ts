import type {Arguments} from '../arguments.ts';
import {locateData} from '../place.ts';
import {planPrune, pruneRun} from '../pruning.ts';
import type {OnStep} from '../run.ts';
import type {PruneReport} from '../report.ts';

/** Removes what finished runs kept. It touches nothing else, and may run beside an etcd. A refusal for one run leaves all of them as they are. */
export function prune(args: Arguments, onStep?: OnStep): PruneReport {
  const names = [...new Set([args.run, ...args.finished])];
  const plans = names.map((run) => planPrune(locateData({...args, run}, onStep)));
  const runs = plans.map(pruneRun);
  return {
    ok: true,
    command: 'prune',
    run: args.run,
    runs,
    files: runs.reduce((sum, {files}) => sum + files, 0),
    bytes: runs.reduce((sum, {bytes}) => sum + bytes, 0),
    already: runs.every(({already}) => already),
  };
}
