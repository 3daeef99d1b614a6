import type {QuorumRecovery} from '../../api/types.ts';
import {exit} from '../failure.ts';
import {renderObject} from '../render/objects.ts';
import {renderPlan} from '../render/plan.ts';
import {conditionOf, nameOf, theResource} from '../resources.ts';
import type {Invocation, World} from '../world.ts';
import {text} from '../world.ts';

/** Where the plan of a resource stands, as an exit code. */
export function planCode(resource: QuorumRecovery): number {
  const {run} = resource.status ?? {};
  if (conditionOf(resource, 'Stalled')?.status === 'True') return exit.blocked;
  if (run === undefined) return exit.planning;
  if (run.finishedAt !== undefined) return exit.ok;
  if (conditionOf(resource, 'Ready')?.reason === 'AwaitingApproval') return exit.awaitingApproval;
  return run.plan === undefined ? exit.planning : exit.running;
}

function withoutPlan(resource: QuorumRecovery): string {
  const ready = conditionOf(resource, 'Ready');
  const {run} = resource.status ?? {};
  const said = ready === undefined ? 'the operator has not looked at it yet' : `${ready.reason}: ${ready.message}`;
  if (run?.finishedAt !== undefined) return `${nameOf(resource)} has no plan: ${said}`;
  return `${nameOf(resource)} has no plan yet. ${said}`;
}

export async function run(invocation: Invocation, world: World): Promise<number> {
  const resource = await theResource(invocation, await world.session());
  const {terminal} = world;
  const made = resource.status?.run;
  const form = text(invocation, 'output');
  if (form !== undefined) terminal.out(await renderObject(made?.plan ?? {}, form));
  else if (made?.plan === undefined) terminal.out(withoutPlan(resource));
  else terminal.out(renderPlan(resource, made, made.plan, {paint: terminal.paint, width: terminal.width, now: world.now()}));
  return planCode(resource);
}
