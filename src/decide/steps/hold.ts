import {statefulSetPod} from '../../kubernetes/ownPods.ts';
import type {Observation} from '../../observe/observation.ts';
import type {Decision} from '../decision.ts';
import {isReplacement} from '../replace.ts';
import {quorumCameBack, sourceOf} from './common.ts';
import {holdLost} from './replace.ts';
import {takeSnapshots} from './snapshot.ts';

/** Names every pod of the set as held, and proves that the admission policy denies the controller each of them. */
export function hold(observation: Observation): Decision {
  if (isReplacement(observation.status.run)) return holdLost(observation);
  const back = quorumCameBack(observation);
  if (back) return back;
  const names = observation.ordinals.map((view) => view.pod);
  const held = observation.status.heldPods ?? [];
  if (names.some((name) => !held.includes(name))) {
    return {kind: 'record', why: `holding ${names.join(', ')}`, record: (draft) => { draft.heldPods = names; }};
  }
  const pods = observation.ordinals.map((view) => statefulSetPod(sourceOf(observation, view)));
  return {kind: 'act', actions: [{type: 'ProveHold', pods}, ...takeSnapshots(observation)], why: 'proving that the admission policy denies the held names', completes: true};
}
