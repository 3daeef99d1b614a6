import {confirm} from '../confirm.ts';
import {CommandError, exit} from '../failure.ts';
import {marks} from '../marks.ts';
import {renderPlan} from '../render/plan.ts';
import {conditionOf, nameOf, namespaceOf, theResource} from '../resources.ts';
import type {Invocation, World} from '../world.ts';
import {text} from '../world.ts';

export async function run(invocation: Invocation, world: World): Promise<number> {
  const session = await world.session();
  const {terminal} = world;
  const resource = await theResource(invocation, session);
  const name = nameOf(resource);
  const made = resource.status?.run;
  const ready = conditionOf(resource, 'Ready');
  if (made?.plan === undefined || made.finishedAt !== undefined) {
    throw new CommandError(`${name} has no plan to approve${ready === undefined ? '' : `: ${ready.reason}: ${ready.message}`}`);
  }
  const {plan} = made;
  const wanted = text(invocation, 'hash');
  if (wanted !== undefined && wanted !== plan.hash) throw new CommandError(`${name} has plan ${plan.hash} by now, not ${wanted}: nothing was approved. Read it: kubectl quorum-recovery -n ${namespaceOf(resource)} plan ${name}`, exit.refused);
  if (resource.spec.approval === 'Required' && resource.spec.approvedPlan === plan.hash) {
    terminal.out(`Plan ${plan.hash} of ${name} is approved already.`);
    return exit.ok;
  }
  if (ready?.reason !== 'AwaitingApproval') throw new CommandError(`${name} does not wait for an approval: it is carrying out plan ${plan.hash} already`);
  terminal.out(renderPlan(resource, made, plan, {paint: terminal.paint, width: terminal.width, now: world.now()}));
  terminal.out('');
  await confirm(invocation, world, `Approve this plan of ${name}, and let the operator carry it out?`);
  const user = await session.api.whoAmI();
  // The resourceVersion: what is approved is what was shown, and nothing that came in between.
  await session.api.patch('QuorumRecovery', namespaceOf(resource), name, {
    metadata: {
      uid: resource.metadata.uid, resourceVersion: resource.metadata.resourceVersion,
      annotations: {[marks.approvedBy]: `${user ?? 'unknown'} ${plan.hash} ${new Date(world.now()).toISOString()}`},
    },
    spec: {approval: 'Required', approvedPlan: plan.hash},
  });
  terminal.out(`Approved: ${plan.hash}. Watch it: kubectl quorum-recovery -n ${namespaceOf(resource)} status ${name} --watch`);
  return exit.ok;
}
