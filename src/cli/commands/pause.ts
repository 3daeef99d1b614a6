import type {QuorumRecovery} from '../../api/types.ts';
import {confirm} from '../confirm.ts';
import {exit} from '../failure.ts';
import {nameOf, namespaceOf, theResource} from '../resources.ts';
import type {Invocation, Session, World} from '../world.ts';

const inFlight = ({status}: QuorumRecovery) => status?.run !== undefined && status.run.finishedAt === undefined;

const begun = ({status}: QuorumRecovery) => status?.run?.force?.turnGiven === true || status?.run?.force?.podUID !== undefined;

async function set({api}: Session, resource: QuorumRecovery, paused: boolean): Promise<void> {
  await api.patch('QuorumRecovery', namespaceOf(resource), nameOf(resource), {metadata: {uid: resource.metadata.uid}, spec: {paused}});
}

export async function pause(invocation: Invocation, world: World): Promise<number> {
  const session = await world.session();
  const {terminal} = world;
  const resource = await theResource(invocation, session);
  const name = nameOf(resource);
  if (resource.spec.paused) {
    terminal.out(`${name} is paused already.`);
    return exit.ok;
  }
  const what = !inFlight(resource) ? 'no run will begin' : begun(resource)
    ? 'the force of its run has begun, so this run is finished first; no other will begin'
    : 'its run has forced nothing yet, so every held pod is let go on its own data; no other run will begin';
  if (inFlight(resource)) await confirm(invocation, world, `Pause ${name}: ${what}. Go on?`);
  await set(session, resource, true);
  terminal.out(`${name} is paused: ${what} until "kubectl quorum-recovery -n ${namespaceOf(resource)} resume ${name}".`);
  return exit.ok;
}

export async function resume(invocation: Invocation, world: World): Promise<number> {
  const session = await world.session();
  const {terminal} = world;
  const resource = await theResource(invocation, session);
  const name = nameOf(resource);
  if (!resource.spec.paused) {
    terminal.out(`${name} is not paused.`);
    return exit.ok;
  }
  const open = resource.status?.run?.aborted?.reason === 'Paused';
  if (open) await confirm(invocation, world, `Resume ${name}: the run that the pause has ended begins anew. Go on?`);
  await set(session, resource, false);
  terminal.out(`${name} goes on${open ? ': the run that the pause has ended begins anew' : ''}.`);
  return exit.ok;
}
