import type {V1StatefulSet} from '@kubernetes/client-node';
import {apiVersion, kind} from '../../api/types.ts';
import type {QuorumRecovery} from '../../api/types.ts';
import {durationOf} from '../arguments.ts';
import {confirm} from '../confirm.ts';
import {isForbiddenError} from '../explain.ts';
import {CommandError, exit, usageError} from '../failure.ts';
import {marks} from '../marks.ts';
import {renderObject} from '../render/objects.ts';
import {conditionOf, listResources, nameOf, namespaceOf} from '../resources.ts';
import type {Invocation, Session, World} from '../world.ts';
import {flag, text, texts} from '../world.ts';
import {follow} from './wait.ts';

interface Lost {pod: string; memberID: string}

/** `etcd-0=8e9e05c5`, or `etcd-0` alone where the resource knows its member ID. */
export function lostOf(words: readonly string[], existing: QuorumRecovery | undefined): Lost[] {
  return words.map((word) => {
    const [pod = '', given] = word.split('=', 2);
    const known = existing?.status?.members?.find((member) => member.pod === pod)?.memberID
      ?? existing?.status?.lastHealthy?.members.find((member) => member.pod === pod)?.memberID;
    const memberID = given ?? known;
    if (memberID === undefined) throw usageError(`The member ID of ${pod} is not known here: say --lost ${pod}=MEMBERID (etcdctl member list on a member that still answers)`);
    if (!/^[0-9a-f]{1,16}$/.test(memberID)) throw usageError(`${memberID} is no member ID: up to 16 digits of lower-case hexadecimal, as etcdctl shows it`);
    return {pod, memberID};
  });
}

/** The fields of the spec that the options ask for. */
function asked(invocation: Invocation, lost: readonly Lost[]): Record<string, unknown> {
  const approval = text(invocation, 'approval');
  const strategy = text(invocation, 'strategy');
  const survivor = text(invocation, 'survivor');
  const canaryKeys = texts(invocation, 'canary');
  return {
    ...(approval !== undefined && {approval}), ...(strategy !== undefined && {strategy}), ...(survivor !== undefined && {survivor: {pod: survivor}}),
    ...(lost.length > 0 && {lostMembers: lost}), ...(canaryKeys.length > 0 && {verification: {canaryKeys}}),
  };
}

function secrets(invocation: Invocation): Record<string, unknown> {
  const tls = text(invocation, 'tls-secret');
  const auth = text(invocation, 'auth-secret');
  return {...(tls !== undefined && {tls: {secretName: tls}}), ...(auth !== undefined && {auth: {secretName: auth}})};
}

async function findSet({api, namespace}: Session, name: string): Promise<V1StatefulSet | undefined> {
  try {
    const set = await api.get('StatefulSet', namespace, name);
    if (set !== undefined) return set;
    const others = (await api.list('StatefulSet', namespace)).map((one) => one.metadata?.name ?? '');
    throw new CommandError(`There is no StatefulSet ${name} in namespace ${namespace}${others.length === 0 ? '' : `: it has ${others.join(', ')}`}. Another namespace: -n`);
  } catch (error) {
    // Who may make the resource need not see the set: the operator looks itself, and says so.
    if (isForbiddenError(error)) return undefined;
    throw error;
  }
}

async function confirmLost(invocation: Invocation, world: World, lost: readonly Lost[]): Promise<void> {
  for (const {pod, memberID} of lost) {
    await confirm(invocation, world, `You say that member ${memberID} of ${pod} does not run any more, anywhere, and will not be started again. If it does, two clusters may accept writes under one name. Is its machine off?`);
  }
}

const sayNext = ({terminal}: World, namespace: string, name: string) => {
  terminal.out(`Watch it: kubectl quorum-recovery -n ${namespace} status ${name} --watch`);
};

async function begin(invocation: Invocation, world: World, session: Session, set: string): Promise<QuorumRecovery | undefined> {
  const lost = lostOf(texts(invocation, 'lost'), undefined);
  const {namespace, api} = session;
  const name = text(invocation, 'name') ?? set;
  const object = {
    apiVersion, kind, metadata: {name, namespace}, spec: {target: {statefulSet: set, ...secrets(invocation)}, ...asked(invocation, lost)},
  } as unknown as QuorumRecovery;
  if (flag(invocation, 'dry-run')) {
    world.terminal.out(await renderObject(object, 'yaml'));
    return undefined;
  }
  await confirmLost(invocation, world, lost);
  await confirm(invocation, world, `Make QuorumRecovery ${name} in namespace ${namespace}, and recover StatefulSet ${set} if its quorum is lost for good?`);
  const user = await api.whoAmI();
  object.metadata.annotations = {[marks.requestedBy]: `${user ?? 'unknown'} ${new Date(world.now()).toISOString()}`};
  return await api.create('QuorumRecovery', object);
}

function standingOf(existing: QuorumRecovery): string {
  const ready = conditionOf(existing, 'Ready');
  return ready === undefined ? 'the operator has not looked at it yet' : `${ready.reason}: ${ready.message}`;
}

async function again(invocation: Invocation, world: World, session: Session, existing: QuorumRecovery): Promise<QuorumRecovery | undefined> {
  const name = nameOf(existing);
  const namespace = namespaceOf(existing);
  if (text(invocation, 'name') !== undefined && text(invocation, 'name') !== name) throw new CommandError(`QuorumRecovery ${name} is there for this StatefulSet already, and one cluster has one resource: leave --name out`);
  if (existing.metadata.deletionTimestamp !== undefined) throw new CommandError(`QuorumRecovery ${name} is being deleted: ${standingOf(existing)}. Make another one once it is gone`);
  const lost = lostOf(texts(invocation, 'lost'), existing);
  const request = new Date(world.now()).toISOString();
  const {run} = existing.status ?? {};
  const inFlight = run === undefined || run.finishedAt === undefined;
  const kept = (existing.spec.lostMembers ?? []).filter((one) => !lost.some((other) => other.pod === one.pod));
  const changes = asked(invocation, lost.length > 0 ? [...kept, ...lost] : []);
  const target = secrets(invocation);
  const spec = {...changes, ...(Object.keys(target).length > 0 && {target}), ...(!inFlight && {trigger: {request}})};
  if (flag(invocation, 'dry-run')) {
    world.terminal.out(await renderObject({apiVersion, kind, metadata: {name, namespace}, spec: {...existing.spec, ...changes, target: {...existing.spec.target, ...target}, ...(!inFlight && {trigger: {...existing.spec.trigger, request}})}}, 'yaml'));
    return undefined;
  }
  if (existing.spec.paused) throw new CommandError(`QuorumRecovery ${name} is paused, so no run would begin: kubectl quorum-recovery -n ${namespace} resume ${name}`);
  if (inFlight && Object.keys(spec).length === 0) {
    world.terminal.out(`QuorumRecovery ${name} has a run in flight already; nothing was changed. ${standingOf(existing)}`);
    return existing;
  }
  await confirmLost(invocation, world, lost);
  const what = inFlight ? 'Its run goes on with what you say' : 'It recovers the cluster if its quorum is lost for good';
  await confirm(invocation, world, `QuorumRecovery ${name} is there (${standingOf(existing)}). ${inFlight ? 'Change it' : 'Ask it for another run'}? ${what}.`);
  const user = await session.api.whoAmI();
  return await session.api.patch('QuorumRecovery', namespace, name, {
    metadata: {uid: existing.metadata.uid, annotations: {[marks.requestedBy]: `${user ?? 'unknown'} ${request}`}}, spec,
  });
}

export async function run(invocation: Invocation, world: World): Promise<number> {
  const [set] = invocation.positionals;
  if (set === undefined) throw usageError('Which StatefulSet? kubectl quorum-recovery recover STATEFULSET');
  const timeout = text(invocation, 'timeout');
  const timeoutMs = timeout === undefined ? undefined : durationOf('timeout', timeout);
  const session = await world.session();
  const [existing] = (await listResources(session, false)).filter((one) => one.spec.target.statefulSet === set);
  await findSet(session, set);
  const made = existing === undefined ? await begin(invocation, world, session, set) : await again(invocation, world, session, existing);
  if (made === undefined) return exit.ok;
  if (flag(invocation, 'wait')) return await follow(made, session, world, {timeoutMs, stop: true});
  if (made !== existing) world.terminal.out(`QuorumRecovery ${nameOf(made)} asks for a run.`);
  sayNext(world, session.namespace, nameOf(made));
  return exit.ok;
}
