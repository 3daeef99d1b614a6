import type {Decision} from '../decision.ts';
import {blocked} from '../decision.ts';
import type {Lost} from './newClusterPlan.ts';

/** Data that a process may still run on, which nobody can stop or prove ended, is nothing to start from; a person's word does not do for it. */
export function unstoppable({candidates, fencing}: Pick<Lost, 'candidates' | 'fencing'>): Decision | undefined {
  for (const {pod, memberID} of candidates) {
    const verdict = fencing.processes.find((process) => process.pod === pod && process.memberID === memberID);
    if (verdict === undefined || verdict.stoppable || (verdict.proven !== undefined && verdict.proven.by !== 'LostMembers')) continue;
    return blocked('FencingUnproven', `${pod} has data to start from, and it is not proven that nothing runs on it any more: ${verdict.waitsFor ?? 'only spec.lostMembers says so'}`);
  }
  return undefined;
}
