import type {V1Pod} from '@kubernetes/client-node';
import type {AgentReport} from '../../agent/report.ts';
import {isTerminating} from '../../kubernetes/ownPods.ts';
import {agentReport, endedUnseen} from '../../observe/agentReport.ts';
import {isOnReadyNode} from '../../observe/observation.ts';
import type {Observation} from '../../observe/observation.ts';
import type {Action, Decision} from '../decision.ts';
import {act, wait} from '../decision.ts';

/** Nothing can be told of a pod there, and none goes from there before its node is back or gone. */
export const isSilent = (observation: Observation, helper: V1Pod): boolean => helper.spec?.nodeName !== undefined && !isOnReadyNode(observation, helper);

/** What an agent told; undefined: nothing so far, or nothing any more. */
export const saidBy = (helper: V1Pod): AgentReport | undefined => (endedUnseen(helper) ? undefined : agentReport(helper));

/** One that will not tell anything any more makes room for another; until it is gone, what it was to read or to do is open. */
export const makesRoom = (helper: V1Pod): boolean => endedUnseen(helper) && !isTerminating(helper);

/** Its kubelet told that every container of it has ended well: no process of it is left, and none starts again (restartPolicy Never). The phase comes a second later, and `Failed` others write too. */
function isOver({status}: V1Pod): boolean {
  const containers = [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])];
  return containers.length > 0 && containers.every(({state}) => state?.terminated?.exitCode === 0);
}

/** One that is needed no more goes, and only what may still run is waited for: its object takes seconds more. One on a silent node goes when its node does, and nothing waits for it. */
export function takeAway(observation: Observation, helper: V1Pod, todo: {actions: Action[]; waits: string[]}): void {
  if (!isTerminating(helper)) todo.actions.push({type: 'DeletePod', pod: helper});
  else if (!isOver(helper) && !isSilent(observation, helper)) todo.waits.push(`the volume agent ${helper.metadata?.name ?? ''} is going`);
}

/** The same for several; undefined: none is left that has to be waited for. */
export function without(observation: Observation, helpers: readonly V1Pod[], why: string): Decision | undefined {
  const todo = {actions: [] as Action[], waits: [] as string[]};
  for (const helper of helpers) takeAway(observation, helper, todo);
  if (todo.actions.length > 0) return act(why, ...todo.actions);
  return todo.waits.length > 0 ? wait(todo.waits.join('; '), 200) : undefined;
}
