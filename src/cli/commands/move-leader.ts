import {previousLeader} from '../../api/rules.ts';
import type {QuorumRecovery} from '../../api/types.ts';
import {durationOf} from '../arguments.ts';
import {exit, usageError} from '../failure.ts';
import {conditionOf, isCurrent, nameOf, namespaceOf, theResource} from '../resources.ts';
import type {Invocation, World} from '../world.ts';
import {flag, text} from '../world.ts';
import {lookUntil} from './wait.ts';

/** `--to none`: no pod's name, as those of a set end in a number. */
const nobody = 'none';

function line(resource: QuorumRecovery): string {
  const leading = conditionOf(resource, 'PreferredLeader');
  const {run} = resource.status ?? {};
  if (run !== undefined && run.finishedAt === undefined) return `run ${run.id} is in flight: leadership is moved after it`;
  return leading === undefined ? 'the operator has not looked at it yet' : `${leading.reason}: ${leading.message}`;
}

/** 0 once the leader is as preferred; what cannot come to be is an error, what may still come is waited for. */
function codeOf(resource: QuorumRecovery): number | undefined {
  const leading = conditionOf(resource, 'PreferredLeader');
  if (!isCurrent(resource) || leading === undefined) return undefined;
  if (leading.status === 'True') return exit.ok;
  return leading.reason === 'NoSuchPod' ? exit.error : undefined;
}

function said(to: string, name: string): string {
  if (to === nobody) return `${name} prefers no leader any more: leadership stays where it is, and raft's elections move it.`;
  if (to === previousLeader) return `${name}: after a recovery leadership returns to the pod that led before.`;
  return `${name}: ${to} is to lead, now and for as long as spec.preferredLeader names it.`;
}

export async function run(invocation: Invocation, world: World): Promise<number> {
  const to = text(invocation, 'to');
  if (to === undefined || to === '') throw usageError('Where to? kubectl quorum-recovery move-leader [NAME] --to POD, --to Previous or --to none');
  const timeout = text(invocation, 'timeout');
  const timeoutMs = timeout === undefined ? undefined : durationOf('timeout', timeout);
  const session = await world.session();
  const resource = await theResource(invocation, session);
  const {statefulSet} = resource.spec.target;
  const ofSet = to.startsWith(`${statefulSet}-`) && /^[0-9]+$/.test(to.slice(statefulSet.length + 1));
  if (to !== nobody && to !== previousLeader && !ofSet) throw usageError(`${to} is no pod of StatefulSet ${statefulSet}, such as ${statefulSet}-0: nothing was changed`);
  const changed = await session.api.patch('QuorumRecovery', namespaceOf(resource), nameOf(resource), {
    metadata: {uid: resource.metadata.uid}, spec: {preferredLeader: to === nobody ? null : to},
  });
  world.terminal.out(said(to, nameOf(resource)));
  if (to === nobody || !flag(invocation, 'wait')) return exit.ok;
  return await lookUntil(changed, session, world, {timeoutMs, line, codeOf});
}
