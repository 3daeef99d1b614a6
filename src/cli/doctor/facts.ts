import type {V1Deployment, V1Node, V1PersistentVolume, V1PersistentVolumeClaim, V1Pod, V1Service, V1StatefulSet, V1ValidatingAdmissionPolicy, V1ValidatingAdmissionPolicyBinding} from '@kubernetes/client-node';
import type {QuorumRecovery} from '../../api/types.ts';
import {policyName} from '../../generate/policy.ts';
import {ApiError} from '../../kubernetes/errors.ts';
import type {Api, Version} from '../kube/api.ts';
import {operatorLabel} from '../operators.ts';
import type {Session} from '../world.ts';
import type {Told} from './finding.ts';

export interface VolumeUse {
  claim: string;
  capacityBytes: number;
  usedBytes: number;
  availableBytes: number;
}

export interface ClusterFacts {
  version: Version;
  /** The namespace that was asked for. */
  namespace: string;
  policy: Told<V1ValidatingAdmissionPolicy | undefined>;
  binding: Told<V1ValidatingAdmissionPolicyBinding | undefined>;
  /** undefined: they may not be read. */
  namespaceLabels: Record<string, string> | undefined;
  operators: Told<V1Deployment[]>;
  nodes: Told<V1Node[]>;
  rights: {verb: string; may: boolean}[];
  /** undefined: the API server knows no such kind. */
  resources: QuorumRecovery[] | undefined;
}

export interface SetFacts {
  set: V1StatefulSet;
  pods: V1Pod[];
  service: V1Service | undefined;
  configMaps: Map<string, Record<string, string>>;
  claims: Told<V1PersistentVolumeClaim[]>;
  volumes: Told<V1PersistentVolume[]>;
  usage: Told<VolumeUse[]>;
}

/** 403 is an answer here, and so is a kind that the cluster does not know. */
async function tell<T>(asked: Promise<T>): Promise<Told<T>> {
  try {
    return {told: await asked};
  } catch (error) {
    if (error instanceof ApiError && error.code === 403) return {forbidden: `${error.verb} ${error.kind}`};
    throw error;
  }
}

async function resourcesOf({api, namespace}: Session): Promise<QuorumRecovery[] | undefined> {
  try {
    return await api.list('QuorumRecovery', namespace);
  } catch (error) {
    if (error instanceof ApiError && error.code === 404) return undefined;
    throw error;
  }
}

const userVerbs = ['get', 'list', 'create', 'patch'] as const;

export async function clusterFacts(session: Session, operatorNamespace: string | undefined): Promise<ClusterFacts> {
  const {api, namespace} = session;
  const [version, policy, binding, operators, nodes, resources, home, rights] = await Promise.all([
    api.version(), tell(api.get('ValidatingAdmissionPolicy', undefined, policyName)), tell(api.get('ValidatingAdmissionPolicyBinding', undefined, policyName)),
    tell(api.list('Deployment', operatorNamespace, {labelSelector: operatorLabel})), tell(api.list('Node')), resourcesOf(session),
    tell(api.get('Namespace', undefined, namespace)),
    Promise.all(userVerbs.map(async (verb) => ({verb, may: await api.may(verb, 'QuorumRecovery', namespace)}))),
  ]);
  const namespaceLabels = 'told' in home && home.told !== undefined ? home.told.metadata?.labels ?? {} : undefined;
  return {version, namespace, namespaceLabels, policy, binding, operators, nodes, resources, rights};
}

interface Summary {
  pods?: {podRef?: {namespace?: string}; volume?: {pvcRef?: {name?: string; namespace?: string}; capacityBytes?: number; usedBytes?: number; availableBytes?: number}[]}[];
}

/** What the kubelets say of the volumes: the only place where free space can be read without a pod of our own. */
async function usageOf(api: Api, namespace: string, pods: readonly V1Pod[]): Promise<VolumeUse[]> {
  const nodes = [...new Set(pods.map((pod) => pod.spec?.nodeName).filter((node) => node !== undefined))];
  const answers = await Promise.all(nodes.map(async (node) => {
    try {
      return await api.raw(`/api/v1/nodes/${encodeURIComponent(node)}/proxy/stats/summary`) as Summary;
    } catch (error) {
      if (error instanceof ApiError && error.code === 403) throw error;
      // A kubelet that does not answer tells nothing, and says nothing of the others.
      return {};
    }
  }));
  return answers.flatMap(({pods: found = []}) => found.flatMap(({volume = []}) => volume.flatMap(({pvcRef, capacityBytes = 0, usedBytes = 0, availableBytes = 0}) =>
    (pvcRef?.name === undefined || pvcRef.namespace !== namespace ? [] : [{claim: pvcRef.name, capacityBytes, usedBytes, availableBytes}]))));
}

export async function setFacts({api, namespace}: Session, set: V1StatefulSet): Promise<SetFacts> {
  const selector = Object.entries(set.spec?.selector.matchLabels ?? {}).map(([key, value]) => `${key}=${value}`).join(',');
  const serviceName = set.spec?.serviceName;
  const [all, service, configs, claims] = await Promise.all([
    api.list('Pod', namespace, {labelSelector: selector}), serviceName === undefined || serviceName === '' ? undefined : api.get('Service', namespace, serviceName),
    api.list('ConfigMap', namespace), tell(api.list('PersistentVolumeClaim', namespace)),
  ]);
  const pods = all.filter((pod) => pod.metadata?.ownerReferences?.some((owner) => owner.uid === set.metadata?.uid));
  const names = (set.spec?.volumeClaimTemplates ?? []).map((template) => `${template.metadata?.name ?? ''}-${set.metadata?.name ?? ''}-`);
  const own = 'told' in claims ? {told: claims.told.filter((claim) => names.some((name) => new RegExp(`^${name}\\d+$`).test(claim.metadata?.name ?? '')))} : claims;
  const volumeNames = 'told' in own ? own.told.map((claim) => claim.spec?.volumeName).filter((name) => name !== undefined) : [];
  const [volumes, usage] = await Promise.all([
    tell(Promise.all(volumeNames.map(async (name) => await api.get('PersistentVolume', undefined, name))).then((found) => found.filter((volume) => volume !== undefined))),
    tell(usageOf(api, namespace, pods)),
  ]);
  return {set, pods, service, claims: own, volumes, usage, configMaps: new Map(configs.map((config) => [config.metadata?.name ?? '', config.data ?? {}]))};
}
