import type {V1Pod} from '@kubernetes/client-node';
import {marks} from '../../api/types.ts';
import type {QuorumRecovery, QuorumRecoveryStatus} from '../../api/types.ts';
import {heldInWords} from '../../decide/dependents.ts';
import {daemonSetPatch} from '../../kubernetes/dependents.ts';
import {isAnswered, isConflict} from '../../kubernetes/errors.ts';
import {confirm, confirmWord} from '../confirm.ts';
import {CommandError, exit} from '../failure.ts';
import {kinds} from '../kube/kinds.ts';
import {marks as notes} from '../marks.ts';
import {endedStatus, keyOfDependent, nextActs, returnedStatus} from '../release/acts.ts';
import type {Act} from '../release/acts.ts';
import {decideRelease, runbook} from '../release/decide.ts';
import type {Release, Said} from '../release/decide.ts';
import {releaseFacts} from '../release/facts.ts';
import type {ReleaseFacts} from '../release/facts.ts';
import {nameOf, namespaceOf, theResource} from '../resources.ts';
import type {Invocation, Session, World} from '../world.ts';
import {flag, texts} from '../world.ts';

const lookMs = 1_000;
/** How long the end of a pod is waited for; a kubelet gives a pod half a minute by default. */
const patienceMs = 90_000;

const needed = [
  {verb: 'patch', kind: 'QuorumRecovery', subresource: 'status'}, {verb: 'patch', kind: 'QuorumRecovery', subresource: undefined},
  {verb: 'patch', kind: 'Pod', subresource: undefined}, {verb: 'delete', kind: 'Pod', subresource: undefined},
] as const;

/** Nobody is left half-way because of a right that is missing. */
async function requireRights({api}: Session, namespace: string, {dependents}: ReleaseFacts): Promise<void> {
  const stopped = [...new Set(dependents.map(({view}) => view.kind))].map((kind) => ({verb: 'patch', kind, subresource: undefined}) as const);
  const answers = await Promise.all([...needed, ...stopped].map(async (right) => ({...right, may: await api.may(right.verb, right.kind, namespace, right.subresource)})));
  const missing = answers.filter(({may}) => !may).map(({verb, kind, subresource}) => `${verb} ${kinds[kind].plural}${subresource === undefined ? '' : `/${subresource}`}`);
  if (missing.length > 0) throw new CommandError(`To release held pods takes rights in namespace ${namespace} that you do not have: ${missing.join(', ')}. Nothing was changed. Ask an administrator of the cluster to do it, or bring an operator back`);
}

const lines = (list: readonly {pod: string; why: string}[]) => list.map(({pod, why}) => `  ${pod}: ${why}`);

function describe(name: string, {stage, letGo, keep}: Release, {dependents}: ReleaseFacts): string {
  const stopped = dependents.map(({record}) => heldInWords(record)).join(', ');
  const first = stage === 'BeforeForce';
  const ends = stage === 'BeforeForce' ? 'Nothing was forced: the run ends as Released, and the resource stays for its record.' : 'The run does not end: an operator that comes back finishes it.';
  return [
    `Release of ${name}:`, ...(stopped !== '' && first ? [`These come back first: ${stopped}`] : []), ...(letGo.length > 0 ? ['These start:', ...lines(letGo)] : ['No pod starts.']),
    ...(keep.length > 0 ? ['These stay held:', ...lines(keep)] : []),
    ...(stopped !== '' && !first ? [`These come back after them: ${stopped}`] : []), ends,
  ].join('\n');
}

async function patchStatus({api}: Session, resource: QuorumRecovery, status: QuorumRecoveryStatus): Promise<void> {
  const {uid, resourceVersion} = resource.metadata;
  await api.patch('QuorumRecovery', namespaceOf(resource), nameOf(resource), {metadata: {uid, resourceVersion}, status}, {subresource: 'status'});
}

const place = ({metadata}: V1Pod) => ({name: metadata?.name ?? '', uid: metadata?.uid ?? '', resourceVersion: metadata?.resourceVersion});

const without = (list: readonly string[] | undefined, mark: string): string[] | null => {
  const rest = (list ?? []).filter((one) => one !== mark);
  return rest.length > 0 ? rest : null;
};

async function ungate({api}: Session, namespace: string, pod: V1Pod): Promise<void> {
  const {name, uid, resourceVersion} = place(pod);
  const gates = (pod.spec?.schedulingGates ?? []).filter((gate) => gate.name !== marks.gate);
  await api.patch('Pod', namespace, name, {metadata: {uid, resourceVersion}, spec: {schedulingGates: gates.length > 0 ? gates : null}});
}

async function dropFence({api}: Session, namespace: string, pod: V1Pod): Promise<void> {
  const {name, uid, resourceVersion} = place(pod);
  await api.patch('Pod', namespace, name, {metadata: {uid, resourceVersion, finalizers: without(pod.metadata?.finalizers, marks.fence)}});
}

/** Its count, or the one label that keeps a DaemonSet from every node. */
async function bringBack({api}: Session, namespace: string, {record, view}: Extract<Act, {type: 'Return'}>): Promise<void> {
  const {uid, resourceVersion} = view.object?.metadata ?? {};
  await api.patch(view.kind, namespace, view.name, {metadata: {uid, resourceVersion}, ...(view.kind === 'DaemonSet' ? daemonSetPatch(null) : {spec: {replicas: record.replicas}})});
}

async function dropFinalizer({api}: Session, resource: QuorumRecovery, note: string): Promise<void> {
  const {uid, resourceVersion, finalizers} = resource.metadata;
  await api.patch('QuorumRecovery', namespaceOf(resource), nameOf(resource), {
    metadata: {uid, resourceVersion, finalizers: without(finalizers, marks.finalizer), annotations: {[notes.releasedBy]: note}},
  });
}

/** Does one act, and says so. */
async function perform(session: Session, facts: ReleaseFacts, act: Act, user: string, now: number): Promise<string> {
  const {api} = session;
  const {resource} = facts;
  const namespace = namespaceOf(resource);
  switch (act.type) {
    case 'DeletePod':
      await api.delete('Pod', namespace, place(act.pod).name, place(act.pod).uid);
      return `deleted pod ${place(act.pod).name}: ${act.why}`;
    case 'DropFence':
      await dropFence(session, namespace, act.pod);
      return `took the fence off ${place(act.pod).name}: ${act.why}`;
    case 'EndRun':
      await patchStatus(session, resource, endedStatus(facts, user, now));
      return act.why;
    case 'Hold':
      await patchStatus(session, resource, {heldPods: act.heldPods});
      return act.why;
    case 'Ungate':
      await ungate(session, namespace, act.pod);
      return `took the gate off ${place(act.pod).name}: ${act.why}`;
    case 'Return':
      await bringBack(session, namespace, act);
      await patchStatus(session, resource, returnedStatus(facts, act.record, now));
      return `brought ${heldInWords(act.record)} back: ${act.why}`;
    case 'DropFinalizer':
      await dropFinalizer(session, resource, `${user} ${new Date(now).toISOString()}`);
      return `took the finalizer off ${nameOf(resource)}: ${act.why}`;
  }
}

/**
 * A pod that its kubelet writes to at the same moment, or a dependent that its controller does, is looked at again, like everything else; undefined: that is so.
 * A dependent that is refused keeps no pod from its start: it is remembered, and tried once more at the end.
 */
async function attempt(...[session, facts, act, user, now, refused]: [...Parameters<typeof perform>, Set<string>]): Promise<string | undefined> {
  try {
    return await perform(session, facts, act, user, now);
  } catch (error) {
    if (isConflict(error) && (error.kind === 'Pod' || (act.type === 'Return' && error.kind === act.view.kind))) return undefined;
    if (act.type !== 'Return' || !isAnswered(error) || error.kind !== act.view.kind || refused.has(keyOfDependent(act))) throw error;
    refused.add(keyOfDependent(act));
    return `could not bring ${heldInWords(act.record)} back, and tries once more at the end: ${error.message}`;
  }
}

/** Looks, does what comes next, and looks again, until there is nothing left. What was decided is decided anew each time: the cluster may have changed. */
async function carryOut(session: Session, first: ReleaseFacts, agreed: Release, said: Said, world: World): Promise<number> {
  const {terminal} = world;
  const user = await session.api.whoAmI() ?? 'somebody';
  let facts = first;
  let since = world.now();
  const refused = new Set<string>();
  for (let waited = ''; ;) {
    const now = decideRelease(facts, said);
    // What was agreed to go may have to stay by now: its claim was made anew, say.
    const surprise = now.keep.find(({pod}) => agreed.letGo.some((one) => one.pod === pod));
    if (surprise !== undefined || (now.stage !== agreed.stage && now.stage !== 'Nothing')) {
      throw new CommandError(`Something changed meanwhile (${surprise === undefined ? `the run is at another point: ${now.stage}` : `${surprise.pod}: ${surprise.why}`}): run the command again, and read what it says then`);
    }
    if (now.refusals.length > 0 && now.letGo.length > 0) throw new CommandError(`Stopped: ${now.refusals.join('\n')}`, exit.refused);
    const {acts, waits} = nextActs(facts, agreed, refused);
    for (const act of acts) {
      const done = await attempt(session, facts, act, user, world.now(), refused);
      if (done !== undefined) terminal.out(`- ${done}`);
    }
    if (acts.length === 0 && waits.length === 0) return exit.ok;
    const waiting = waits.join(', ');
    if (acts.length > 0) {
      since = world.now();
    } else if (waiting !== waited) {
      terminal.out(`- waiting for ${waiting}`);
      waited = waiting;
    }
    if (world.now() - since > patienceMs) {
      throw new CommandError(`Not proven: ${waiting}. As long as a node does not answer, its pod may still run, and another of its name must not start. Make sure that the machine is off, tell Kubernetes (kubectl delete node, or the out-of-service taint), and run the command again. See ${runbook}`);
    }
    await world.sleep(acts.length > 0 ? 100 : lookMs);
    const resource = await session.api.get('QuorumRecovery', namespaceOf(first.resource), nameOf(first.resource));
    if (resource === undefined) return exit.ok;
    facts = await releaseFacts(session, resource);
  }
}

export async function run(invocation: Invocation, world: World): Promise<number> {
  const {terminal} = world;
  const connected = await world.session();
  const shown = await theResource(invocation, connected);
  const session = {...connected, namespace: namespaceOf(shown)};
  const name = nameOf(shown);
  // As it is, because it is written again: what `theResource` gives is cleaned for the screen.
  const resource = await session.api.get('QuorumRecovery', session.namespace, name) ?? shown;
  const facts = await releaseFacts(session, resource);
  const said: Said = {operatorIsDead: flag(invocation, 'operator-is-dead'), startEmpty: texts(invocation, 'start-empty'), afterForce: flag(invocation, 'after-force')};
  const release = decideRelease(facts, said);
  if (release.stage === 'Nothing') {
    terminal.out(`${name} holds nothing: there is nothing to release.`);
    return exit.ok;
  }
  terminal.out(describe(name, release, facts));
  if (release.refusals.length > 0) throw new CommandError(`Refused: ${release.refusals.join('\n')}`, exit.refused);
  if (flag(invocation, 'dry-run')) {
    for (const question of release.questions) terminal.out(`It would ask: ${question.text}`);
    return exit.ok;
  }
  await requireRights(session, session.namespace, facts);
  const answered: Said = {...said};
  for (const question of release.questions) {
    await confirmWord(world, question.text, question.word, question.option);
    if (question.option === '--operator-is-dead') answered.operatorIsDead = true;
    else answered.afterForce = true;
  }
  for (const pod of said.startEmpty.filter((one) => release.letGo.some((other) => other.pod === one))) {
    await confirm(invocation, world, `${pod} would start although ${release.letGo.find((one) => one.pod === pod)?.why ?? ''}. With initial-cluster-state=new, two such pods elect an empty cluster. Go on?`);
  }
  await confirm(invocation, world, 'Do it?');
  const code = await carryOut(session, facts, release, answered, world);
  terminal.out(release.keep.length === 0 ? 'Released.' : `Released, but for ${release.keep.map(({pod}) => pod).join(', ')}. What to do with ${release.keep.length === 1 ? 'it' : 'them'}: ${runbook}`);
  return code;
}
