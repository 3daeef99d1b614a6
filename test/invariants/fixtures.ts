import assert from 'node:assert/strict';
import type {V1Pod} from '@kubernetes/client-node';
import {marks} from '../../src/api/types.ts';
import type {Run} from '../../src/api/types.ts';
import type {Action, Decision} from '../../src/decide/decision.ts';
import {force} from '../../src/decide/steps/force.ts';
import type {EtcdMember} from '../../src/etcd/types.ts';
import type {KubernetesClient} from '../../src/kubernetes/client.ts';
import type {Observation} from '../../src/observe/observation.ts';
import {HeavyActs} from '../../src/phases/heavy.ts';
import type {Acting} from '../../src/phases/context.ts';
import {mainScenario} from '../simulation/scenario.ts';
import type {Scenario} from '../simulation/scenario.ts';
import {Simulation} from '../simulation/simulation.ts';
import type {Ending, When} from '../simulation/simulation.ts';
import {answers, clusterID, ended, idOf, members, node, now, observationOf, ownPodOf, planOf, recordOf, runOf} from '../unit/decide/observations.ts';
import type {ObservationOptions, OrdinalOptions} from '../unit/decide/observations.ts';

/** Moments of a recovery of three members from etcd-0, the nodes of the other two deleted: what more than one invariant is asked in. */

export const mark = {[marks.run]: 'run-1'};
export const at = new Date(now).toISOString();
export const names = ['etcd-0', 'etcd-1', 'etcd-2'];

/** A name that is held, its volume lost with its node. */
export const held = (index: number, more: Partial<OrdinalOptions> = {}): OrdinalOptions =>
  ({object: ownPodOf(index, {gated: true, uid: `held-${index}`, annotations: mark}), place: {at: 'GoneNode', nodes: [`node-${index}`]}, ...more});
/** A name that is held, its volume within reach. */
export const heldHere = (index: number): OrdinalOptions => ({object: ownPodOf(index, {gated: true, uid: `held-${index}`, annotations: mark})});

export const ofKubelet = (index: number) => ({by: 'KubeletConfirmed' as const, podUID: `pod-uid-${index}`, at});
export const records = [recordOf(0, {fenced: ofKubelet(0)}), recordOf(1), recordOf(2)];
export const identity = {clusterID, version: '3.6.16', members: members(3), source: 'member list of etcd-0'};
export const facts = (index: number, more: object = {}) =>
  ({pod: `etcd-${index}`, stage: 'Planning' as const, data: 'Present' as const, memberID: idOf(index), clusterID, members: members(3), ...more});

export const planned = (more: Partial<Run> = {}): Run => runOf({identity, offline: [facts(0)], plan: planOf(), steps: [{name: 'Force', state: 'Running'}], ...more});

/** The moment before the force: every name is held, every end is proven. */
export const ready = (run = planned(), more: ObservationOptions = {}): ObservationOptions =>
  ({ordinals: [heldHere(0), held(1), held(2)], nodes: [node('node-0')], status: {members: records, run, heldPods: [...names]}, ...more});

/** Planning begins: etcd-0 answers without a leader, the others' pods found no node. */
export const lost = (more: ObservationOptions = {}): ObservationOptions => ({
  ordinals: [{probe: answers(0, 3)}, ...[1, 2].map((index) => held(index, {object: ownPodOf(index, {node: '', uid: `new-${index}`, statuses: []})}))],
  nodes: [node('node-0')], status: {members: [0, 1, 2].map((index) => recordOf(index)), run: runOf()}, ...more,
});

export const told = (decision: Decision | undefined): string => {
  if (decision === undefined) return 'nothing';
  if ('reason' in decision) return `${decision.kind} ${decision.reason}`;
  return decision.kind === 'act' ? decision.actions.map(({type}) => type).join() : decision.kind;
};

export {recorded} from '../unit/decide/observations.ts';

export function actionOf<T extends Action['type']>(decision: Decision | undefined, type: T): Extract<Action, {type: T}> {
  const found = decision?.kind === 'act' ? decision.actions.find((action) => action.type === type) : undefined;
  assert.ok(found, `${type} is not what is done: ${told(decision)}`);
  return found as Extract<Action, {type: T}>;
}

/** The pod of the forced start, as it is made. */
export function forcedPod(options: ObservationOptions = ready(), change: (pod: V1Pod) => void = () => undefined): V1Pod {
  const pod = structuredClone(actionOf(force(observationOf(options)), 'CreatePod').pod);
  pod.metadata = {...pod.metadata, uid: 'forced-uid'};
  pod.spec = {...pod.spec, containers: pod.spec?.containers ?? [], nodeName: 'node-0'};
  change(pod);
  return pod;
}

/** Its kubelet told that agent and etcd have ended. */
export function hasEnded(pod: V1Pod): void {
  pod.metadata = {...pod.metadata, deletionTimestamp: new Date(now)};
  pod.status = {phase: 'Failed', initContainerStatuses: [{...ended(), name: 'volume-agent'}], containerStatuses: [ended()]};
}

export const hasItsTurn = (pod: V1Pod): void => {
  pod.metadata = {...pod.metadata, annotations: {...pod.metadata?.annotations, [marks.turn]: '1'}};
};

export const withHelper = (options: ObservationOptions, ...helpers: V1Pod[]): Observation => observationOf({...options, more: {...options.more, helpers}});

/** The force is over, etcd-0 serves alone in its own pod; etcd-1 is the one that joins. */
export const serving = (more: ObservationOptions = {}, run: Partial<Run> = {}): ObservationOptions => ({
  ordinals: [{object: ownPodOf(0, {uid: 'own-0', annotations: mark}), probe: {...answers(0, 1, {leader: idOf(0)})}}, held(1, {place: {at: 'Unbound'}}), held(2, {place: {at: 'Unbound'}})],
  nodes: [node('node-0'), node('node-1'), node('node-2')],
  status: {
    members: [0, 1, 2].map((index) => recordOf(index, {fenced: ofKubelet(index)})), heldPods: ['etcd-1', 'etcd-2'],
    run: planned({
      force: {attempt: 1, pod: 'f', podUID: 'f', turnGiven: true, endedAt: at},
      steps: [{name: 'Force', state: 'Done'}, {name: 'StartSurvivor', state: 'Done'}, {name: 'Join etcd-1', state: 'Running'}, {name: 'Join etcd-2', state: 'Pending'}, {name: 'Verify', state: 'Pending'}],
      ...run,
    }),
  },
  ...more,
});

/** A joiner's pod for that member list. */
export const joiner = (index: number, cluster: string, status: V1Pod['status'] = {}, turn?: string): OrdinalOptions => ({
  object: {...ownPodOf(index, {uid: `joiner-${index}`, statuses: [], annotations: {...mark, [marks.cluster]: cluster, ...(turn !== undefined && {[marks.turn]: turn})}}), status}, place: {at: 'Unbound'},
});
export const peers = (...indexes: number[]) => indexes.map((index) => `etcd-${index}=http://etcd-${index}.etcd:2380`).join(',');

/** What an act is done with: an etcd and an API server that write down what is asked of them. */
export function actingWith(observation: Observation, member: Partial<EtcdMember> = {}, client: Partial<KubernetesClient> = {}, signal = new AbortController().signal): Acting {
  return {client, etcd: {member: () => member}, credentials: {}, observation, now: () => now, signal, heavy: new HeavyActs()} as unknown as Acting;
}

/** Writes down each change that is asked of the API server. */
export function recordingClient(changes: string[], more: Partial<KubernetesClient> = {}): KubernetesClient {
  const say = (line: string) => { changes.push(line); };
  const client: Partial<KubernetesClient> = {
    create: async (kind, object) => { say(`create ${kind}`); return await Promise.resolve(object); },
    patch: async (kind, _, name, patch) => { say(`patch ${kind} ${name} ${JSON.stringify(patch)}`); return await Promise.resolve({} as never); },
    delete: async (kind, _, name, options) => { say(`delete ${kind} ${name} ${JSON.stringify(options)}`); return await Promise.resolve(true); },
    ...more,
  };
  return client as KubernetesClient;
}

export interface Simulated extends Ending {
  simulation: Simulation;
}

/** A whole recovery by the real reconciler in a model of Kubernetes and etcd, with every invariant asked after each step. */
export async function simulated(scenario: Partial<Scenario> = {}, kills: [number, When][] = [], watch: (simulation: Simulation) => void = () => undefined): Promise<Simulated> {
  const simulation = new Simulation({scenario: {...mainScenario, ...scenario}, kills: new Map(kills)});
  watch(simulation);
  return {...await simulation.run(), simulation};
}
