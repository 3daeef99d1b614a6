import type {ConditionType} from '../api/reasons.ts';
import type {Condition} from '../api/types.ts';

export interface ConditionChange {
  type: ConditionType;
  status: Condition['status'];
  reason: string;
  message: string;
}

const maxMessage = 32_768;

/**
 * The list with one condition set: `lastTransitionTime` changes only when `status` does (KEP-1623), the place in the list never.
 * @param now wall clock, milliseconds since the epoch
 */
export function setCondition(
  conditions: readonly Condition[] | undefined, change: ConditionChange, generation: number | undefined, now: number,
): Condition[] {
  const list = [...(conditions ?? [])];
  const index = list.findIndex((condition) => condition.type === change.type);
  const known = list[index];
  const next: Condition = {
    type: change.type,
    status: change.status,
    ...(generation !== undefined && {observedGeneration: generation}),
    lastTransitionTime: known?.status === change.status ? known.lastTransitionTime : `${new Date(now).toISOString().slice(0, 19)}Z`,
    reason: change.reason,
    message: change.message.slice(0, maxMessage),
  };
  if (known === undefined) list.push(next);
  else list[index] = next;
  return list;
}

/** The list without the condition: kstatus wants Reconciling and Stalled to be there only while they are True. */
export const removeCondition = (conditions: readonly Condition[] | undefined, type: ConditionType): Condition[] =>
  (conditions ?? []).filter((condition) => condition.type !== type);

export const findCondition = (conditions: readonly Condition[] | undefined, type: ConditionType): Condition | undefined =>
  conditions?.find((condition) => condition.type === type);

export const isTrue = (conditions: readonly Condition[] | undefined, type: ConditionType): boolean =>
  findCondition(conditions, type)?.status === 'True';
