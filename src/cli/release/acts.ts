import type {V1Pod} from '@kubernetes/client-node';
import type {DependentRecord, QuorumRecoveryStatus} from '../../api/types.ts';
import {marks} from '../../api/types.ts';
import {endedByKubelet} from '../../decide/evidence/processes.ts';
import {recordDependent} from '../../decide/steps/dependents.ts';
import {summarize} from '../../decide/summary.ts';
import type {DependentView} from '../../kubernetes/dependents.ts';
import {hasFence, isGated, isTerminating} from '../../kubernetes/ownPods.ts';
import {finishRun} from '../../phases/run.ts';
import {reasonByHand} from './decide.ts';
import type {Release} from './decide.ts';
import type {ReleaseFacts} from './facts.ts';

export type Act =
  | {type: 'DeletePod'; pod: V1Pod; why: string}
  | {type: 'DropFence'; pod: V1Pod; why: string}
  | {type: 'EndRun'; why: string}
  | {type: 'Hold'; heldPods: string[]; why: string}
  | {type: 'Ungate'; pod: V1Pod; why: string}
  | {type: 'Return'; record: DependentRecord; view: DependentView; why: string}
  | {type: 'DropFinalizer'; why: string};

export interface Next {
  acts: Act[];
  /** What is not proven yet, in words; nothing after it is done before it is. */
  waits: string[];
}

const nameOf = (pod: V1Pod) => pod.metadata?.name ?? '';

/** The end of a pod's processes, as far as this can be told without the operator's own records; undefined: not proven. */
export function proofOfEnd({nodes}: ReleaseFacts, pod: V1Pod): string | undefined {
  const node = pod.spec?.nodeName;
  if (node === undefined) return isTerminating(pod) ? 'it was never bound to a node' : undefined;
  if (endedByKubelet(pod)) return `the kubelet of ${node} reported the end of its containers`;
  return nodes?.find((one) => one.name === node)?.outOfService === true ? `node ${node} carries the out-of-service taint` : undefined;
}

function helperActs(facts: ReleaseFacts): Next {
  const next: Next = {acts: [], waits: []};
  for (const pod of facts.helpers) {
    const proof = proofOfEnd(facts, pod);
    if (!isTerminating(pod)) next.acts.push({type: 'DeletePod', pod, why: 'the run does not need it any more'});
    else if (hasFence(pod) && proof !== undefined) next.acts.push({type: 'DropFence', pod, why: proof});
    // An agent runs no etcd: where its kubelet does not answer, nothing has to wait for it.
    else if (hasFence(pod) || facts.nodes?.find((node) => node.name === pod.spec?.nodeName)?.ready !== false) next.waits.push(`the end of ${nameOf(pod)}${pod.spec?.nodeName === undefined ? '' : ` on ${pod.spec.nodeName}`}`);
  }
  return next;
}

function holdActs({resource}: ReleaseFacts, {keep}: Release): Act[] {
  const held = resource.status?.heldPods ?? [];
  const wanted = held.filter((pod) => keep.some((one) => one.pod === pod));
  if (wanted.length === held.length) return [];
  return [{type: 'Hold', heldPods: wanted, why: wanted.length === 0 ? 'no name is held any more' : `only ${wanted.join(', ')} ${wanted.length === 1 ? 'stays' : 'stay'} held`}];
}

function podActs(facts: ReleaseFacts, {letGo}: Release): Next {
  const next: Next = {acts: [], waits: []};
  for (const pod of facts.pods.filter((one) => letGo.some(({pod: name}) => name === nameOf(one)))) {
    const proof = proofOfEnd(facts, pod);
    if (hasFence(pod) && (!isTerminating(pod) || proof !== undefined)) next.acts.push({type: 'DropFence', pod, why: proof ?? 'it was not stopped yet'});
    else if (hasFence(pod)) next.waits.push(`the end of ${nameOf(pod)} on ${pod.spec?.nodeName ?? ''}`);
    else if (isGated(pod) && !isTerminating(pod)) next.acts.push({type: 'Ungate', pod, why: letGo.find(({pod: name}) => name === nameOf(pod))?.why ?? ''});
  }
  return next;
}

type Stopped = ReleaseFacts['dependents'][number];

const bringing = (stopped: Stopped): Next => ({acts: [{type: 'Return', ...stopped, why: 'the run had stopped it'}], waits: []});

export const keyOfDependent = ({record: {kind, name}}: Pick<Stopped, 'record'>): string => `${kind} ${name}`;

/**
 * The next acts of a release: the run is over, so that an operator that comes back leaves it alone, and dependents with it; so those come back
 * first, before anything is waited for, as the end of a process may never be proven. Then, in the order of the runbook, helpers end, the hold
 * ends, pods start, the resource is free. One gate at a time, so that whoever looks on can stop it. After the force dependents come last, to an
 * etcd that serves, and the run is still the operator's.
 * @param refused dependents that could not be brought back: they are tried once more at the end
 */
export function nextActs(facts: ReleaseFacts, release: Release, refused: ReadonlySet<string> = new Set()): Next {
  const {run} = facts.resource.status ?? {};
  if (release.stage === 'BeforeForce') {
    if (run?.finishedAt === undefined) return {acts: [{type: 'EndRun', why: 'the run is over'}], waits: []};
    const first = facts.dependents.find((one) => !refused.has(keyOfDependent(one)));
    if (first !== undefined) return bringing(first);
  }
  const helpers = helperActs(facts);
  if (helpers.acts.length > 0 || helpers.waits.length > 0) return helpers;
  const hold = holdActs(facts, release);
  if (hold.length > 0) return {acts: hold, waits: []};
  const {acts, waits} = podActs(facts, release);
  const fences = acts.filter((act) => act.type === 'DropFence');
  if (fences.length > 0) return {acts: fences, waits};
  const [gate] = acts;
  if (gate !== undefined) return {acts: [gate], waits};
  if (waits.length > 0) return {acts: [], waits};
  const [stopped] = facts.dependents;
  if (stopped !== undefined) return bringing(stopped);
  const finalizers = facts.resource.metadata.finalizers ?? [];
  if (release.stage !== 'BeforeForce' || release.keep.length > 0 || !finalizers.includes(marks.finalizer)) return {acts: [], waits: []};
  return {acts: [{type: 'DropFinalizer', why: 'nothing is held any more'}], waits: []};
}

/** The status once one of them has back what it had. */
export function returnedStatus({resource}: ReleaseFacts, {kind, name}: DependentRecord, now: number): QuorumRecoveryStatus {
  const draft = structuredClone(resource.status ?? {});
  recordDependent({kind, name}, {state: 'Returned', returnedAt: new Date(now).toISOString()})(draft);
  return draft;
}

/** The status of a run that was let go by hand. Its names stay held until its helpers are gone. */
export function endedStatus({resource}: ReleaseFacts, user: string, now: number): QuorumRecoveryStatus {
  const draft = structuredClone(resource.status ?? {});
  if (draft.run === undefined) return draft;
  draft.run.aborted = {reason: reasonByHand, message: `${user} let the run go by hand before anything was forced, without an operator`};
  for (const step of draft.run.steps.filter(({state}) => state === 'Running')) {
    step.state = 'Failed';
    step.finishedAt = new Date(now).toISOString();
  }
  finishRun(draft, 'Released', now);
  summarize(draft, {at: 'watching'}, resource.metadata.generation, now);
  return draft;
}
