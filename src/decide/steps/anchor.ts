import {servesNow} from '../../observe/observation.ts';
import type {Observation} from '../../observe/observation.ts';
import type {Decision} from '../decision.ts';
import {wait} from '../decision.ts';
import {runIn} from './common.ts';

/*
 * A run that works through a quorum (ReplaceMembers, and Restart once one is back) asks one of its members, any that serves, and knows since
 * when there is no quorum.
 */

/** Another of these members (default: any) that serves takes the place of the one that does not: no single one is needed here. */
export function anchored(observation: Observation, members: readonly string[] = observation.ordinals.map(({pod}) => pod)): Decision | undefined {
  const {plan} = runIn(observation);
  const serving = observation.ordinals.filter(servesNow).map(({pod}) => pod);
  if (plan !== undefined && serving.includes(plan.survivor)) return undefined;
  const other = serving.find((pod) => members.includes(pod));
  if (other === undefined) return wait(`none of ${members.join(', ')} serves`, 500);
  return {kind: 'record', why: `${plan?.survivor ?? ''} does not serve: the run goes on through ${other}`, record: (draft) => { if (draft.run?.plan) draft.run.plan.survivor = other; }};
}

/** From here on no quorum was found. */
export const recordUnserved = ({now}: Observation, why: string): Decision =>
  ({kind: 'record', why, record: (draft) => { if (draft.run) draft.run.unservedSince = new Date(now).toISOString(); }});

/** A quorum was found again. */
export const recordServed = (): Decision => ({kind: 'record', why: 'a quorum serves again', record: (draft) => { delete draft.run?.unservedSince; }});
