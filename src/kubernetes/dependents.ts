import type {V1DaemonSet, V1Deployment, V1LabelSelector, V1Pod, V1StatefulSet} from '@kubernetes/client-node';
import {marks} from '../api/types.ts';

/** What can be stopped around a recovery. */
export const dependentKinds = ['Deployment', 'StatefulSet', 'DaemonSet'] as const;
export type DependentKind = (typeof dependentKinds)[number];

export interface DependentName {
  kind: DependentKind;
  name: string;
}

type Workload = V1Deployment | V1StatefulSet | V1DaemonSet;

/** A dependent as it is now. */
export interface DependentView extends DependentName {
  /** undefined: there is none. */
  object: Workload | undefined;
  /** Its pods, whatever their node. */
  pods: V1Pod[];
  /** Why it cannot be looked at. */
  problem?: string | undefined;
}

export const nameOfDependent = ({kind, name}: DependentName): string => `${kind} ${name}`;

/** A label selector in the text that a list takes. */
export function selectorText({matchLabels = {}, matchExpressions = []}: V1LabelSelector = {}): string {
  const expressions = matchExpressions.map(({key, operator, values = []}) => {
    switch (operator) {
      case 'In': return `${key} in (${values.join(',')})`;
      case 'NotIn': return `${key} notin (${values.join(',')})`;
      case 'DoesNotExist': return `!${key}`;
      default: return key;
    }
  });
  return [...Object.entries(matchLabels).map(([key, value]) => `${key}=${value}`), ...expressions].join(',');
}

/** The count that its spec asks for; a DaemonSet has none. */
export function countOf({kind, object}: DependentView): number | undefined {
  if (object === undefined || kind === 'DaemonSet') return undefined;
  return (object.spec as V1Deployment['spec'])?.replicas ?? 1;
}

/** The run whose label keeps a DaemonSet from every node; undefined: none does. */
export const stopperOf = ({kind, object}: DependentView): string | undefined =>
  (kind === 'DaemonSet' ? object?.spec?.template.spec?.nodeSelector?.[marks.stopped] : undefined);

/** Its spec asks for no pod. A DaemonSet that an earlier run has left stopped gets the mark of this one first, as a run brings back only what bears its own. */
export const isStopped = (view: DependentView, run: string): boolean => (view.kind === 'DaemonSet' ? stopperOf(view) === run : countOf(view) === 0);

/** The merge patch that stops a DaemonSet, or lets it run again: one key of its own node selector, and nothing else of it. */
export const daemonSetPatch = (run: string | null): object => ({spec: {template: {spec: {nodeSelector: {[marks.stopped]: run}}}}});

/** What it asks for now, in words. */
export function specInWords(view: DependentView): string {
  const count = countOf(view);
  if (count !== undefined) return `${count} replica${count === 1 ? '' : 's'}`;
  const selector = Object.entries(view.object?.spec?.template.spec?.nodeSelector ?? {}).map(([key, value]) => `${key}=${value}`).join(',');
  return selector === '' ? 'every node' : `nodes with ${selector}`;
}

interface FieldsV1 {
  'f:spec'?: {'f:replicas'?: object; 'f:template'?: object};
}

/** Who wrote its count, or its template, last, as the API server recorded it; undefined: it is not told, as it often is not for the scale subresource. */
export function writerOf({kind, object}: DependentView): string | undefined {
  const field = kind === 'DaemonSet' ? 'f:template' : 'f:replicas';
  const wrote = (object?.metadata?.managedFields ?? []).filter(({fieldsV1}) => (fieldsV1 as FieldsV1 | undefined)?.['f:spec']?.[field] !== undefined);
  const time = (at: Date | string | undefined) => new Date(at ?? 0).getTime();
  return wrote.sort((a, b) => time(b.time) - time(a.time))[0]?.manager;
}

const isOver = ({status}: V1Pod) => status?.phase === 'Succeeded' || status?.phase === 'Failed';

/** Pods that may still run. */
export const runningPods = ({pods}: DependentView): V1Pod[] => pods.filter((pod) => !isOver(pod));

const hasCondition = ({status}: V1Pod, type: string, value: string, reason?: string) =>
  status?.conditions?.some((condition) => condition.type === type && condition.status === value && (reason === undefined || condition.reason === reason)) === true;

export interface Readiness {
  ready: number;
  wanted: number;
  /** Pods that no node takes, or whose node is not Ready: they are not waited for. */
  without: number;
  is: boolean;
}

/** Whether as many of its pods are Ready as nodes can take. */
export function readinessOf(view: DependentView, isOnReadyNode: (pod: V1Pod) => boolean): Readiness {
  const {object} = view;
  const status = object?.status as V1DaemonSet['status'];
  const seen = ((object?.status as V1Deployment['status'])?.observedGeneration ?? 0) >= (object?.metadata?.generation ?? 0);
  const wanted = view.kind === 'DaemonSet' ? status?.desiredNumberScheduled ?? 0 : countOf(view) ?? 0;
  const live = runningPods(view).filter((pod) => pod.metadata?.deletionTimestamp === undefined);
  const without = live.filter((pod) => (pod.spec?.nodeName === undefined ? hasCondition(pod, 'PodScheduled', 'False', 'Unschedulable') : !isOnReadyNode(pod))).length;
  const ready = live.filter((pod) => hasCondition(pod, 'Ready', 'True') && isOnReadyNode(pod)).length;
  return {ready, wanted, without, is: seen && (wanted === 0 || (ready > 0 && ready >= wanted - without))};
}
