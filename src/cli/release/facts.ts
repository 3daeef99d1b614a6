import type {V1PersistentVolumeClaim, V1Pod, V1StatefulSet} from '@kubernetes/client-node';
import type {DependentRecord, QuorumRecovery} from '../../api/types.ts';
import {pruneStep} from '../../api/progress.ts';
import {marks} from '../../api/types.ts';
import {isOwed} from '../../decide/dependents.ts';
import {claimName} from '../../kubernetes/claims.ts';
import type {DependentView} from '../../kubernetes/dependents.ts';
import {ordinalsOf, podName} from '../../kubernetes/ownPods.ts';
import type {NodeView, Place} from '../../observe/observation.ts';
import {nodeView, placeOf} from '../../observe/places.ts';
import {isForbiddenError} from '../explain.ts';
import {carriesOut, operatorLabel, serves} from '../operators.ts';
import type {Session} from '../world.ts';

export interface ClaimFacts {
  name: string;
  object: V1PersistentVolumeClaim | undefined;
  /** undefined: volumes or nodes may not be read. */
  place: Place | undefined;
}

/** Everything that a release is decided from. */
export interface ReleaseFacts {
  resource: QuorumRecovery;
  set: V1StatefulSet | undefined;
  /** The set's own pods, by name. */
  pods: V1Pod[];
  /** Helper pods of the resource's run; those that take away what earlier runs kept have nothing to do with it. */
  helpers: V1Pod[];
  /** Claims of each of the set's pods, and of no other. */
  claims: Map<string, ClaimFacts[]>;
  /** What the run has stopped and not brought back, and is stopped still. */
  dependents: {record: DependentRecord; view: DependentView}[];
  /** undefined: they may not be read. */
  nodes: NodeView[] | undefined;
  /** Pods of operators that serve the resource, or carry its run out, and are not on their way out; undefined: they may not be read. */
  operators: V1Pod[] | undefined;
}

const allowed = async <T>(asked: Promise<T>): Promise<T | undefined> => {
  try {
    return await asked;
  } catch (error) {
    if (isForbiddenError(error)) return undefined;
    throw error;
  }
};

async function claimsOf(session: Session, set: V1StatefulSet, ordinal: number, nodes: NodeView[] | undefined): Promise<ClaimFacts[]> {
  const {api, namespace} = session;
  return await Promise.all((set.spec?.volumeClaimTemplates ?? []).map(async (template): Promise<ClaimFacts> => {
    const name = claimName(set, template, ordinal);
    const object = await api.get('PersistentVolumeClaim', namespace, name);
    const volumeName = object?.spec?.volumeName;
    const volume = volumeName === undefined || nodes === undefined ? undefined : await allowed(api.get('PersistentVolume', undefined, volumeName));
    const told = nodes !== undefined && (object === undefined || volumeName === undefined || volume !== undefined);
    return {name, object, place: told ? placeOf(object, volume, nodes) : undefined};
  }));
}

async function stoppedDependents({api, namespace}: Session, {metadata, status}: QuorumRecovery): Promise<ReleaseFacts['dependents']> {
  const {run} = status ?? {};
  const all = await Promise.all((run?.dependents ?? []).map(async (record) => {
    const {kind, name} = record;
    return {record, view: {kind, name, object: await api.get(kind, metadata.namespace ?? namespace, name), pods: []}};
  }));
  return all.filter(({record, view}) => run !== undefined && isOwed(run, record, view));
}

export async function releaseFacts(session: Session, resource: QuorumRecovery): Promise<ReleaseFacts> {
  const {api} = session;
  const namespace = resource.metadata.namespace ?? session.namespace;
  const [set, all, operators, nodeObjects, home] = await Promise.all([
    api.get('StatefulSet', namespace, resource.spec.target.statefulSet), api.list('Pod', namespace),
    allowed(api.list('Pod', undefined, {labelSelector: operatorLabel})), allowed(api.list('Node')),
    allowed(api.get('Namespace', undefined, namespace)),
  ]);
  const nodes = nodeObjects?.map(nodeView);
  const ordinals = set === undefined ? [] : ordinalsOf(set);
  const claims = await Promise.all(ordinals.map(async (ordinal) =>
    [set === undefined ? '' : podName(set, ordinal), set === undefined ? [] : await claimsOf({api, namespace}, set, ordinal, nodes)] as const));
  const helpers = all.filter((pod) => pod.metadata?.labels?.[marks.resource] === resource.metadata.name && pod.metadata?.labels?.[marks.helper] !== undefined
    && pod.metadata.annotations?.[marks.step] !== pruneStep);
  return {
    resource, set, nodes, helpers, dependents: await stoppedDependents(session, resource), claims: new Map(claims),
    pods: all.filter((pod) => set?.metadata?.uid !== undefined && pod.metadata?.ownerReferences?.some((owner) => owner.uid === set.metadata?.uid)),
    operators: operators?.filter((pod) => (serves(pod.spec, {namespace, namespaceLabels: home && (home.metadata?.labels ?? {}), resource}) || carriesOut(pod.metadata?.namespace ?? '', pod.spec, resource)) && (pod.metadata?.deletionTimestamp === undefined || isReady(pod))),
  };
}

export const isReady = (pod: V1Pod): boolean => pod.status?.conditions?.some((condition) => condition.type === 'Ready' && condition.status === 'True') === true;
