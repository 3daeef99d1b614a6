import type {V1Container, V1EnvFromSource, V1EnvVarSource, V1PodTemplateSpec} from '@kubernetes/client-node';
import {expand} from './expand.ts';
import {placeholder} from './placeholders.ts';
import type {LaunchProblem, LaunchSource} from './types.ts';

/** The environment that the kubelet gives to a container, without the variables of Services. */
export interface Environment {
  variables: Map<string, string>;
  /** ConfigMaps and Secrets that are named, not optional and not there; the pod does not start without them. */
  missing: string[];
}

/** envFrom first and in order, then env in order, each expanded with what stands before it, as the kubelet does. */
export function containerEnvironment(source: LaunchSource, container: V1Container): Environment {
  const variables = new Map<string, string>();
  const missing: string[] = [];
  for (const from of container.envFrom ?? []) {
    const {values, absent} = bulk(from, source);
    if (absent !== undefined) missing.push(absent);
    for (const [key, value] of Object.entries(values)) variables.set(`${from.prefix ?? ''}${key}`, value);
  }
  for (const {name, value, valueFrom} of container.env ?? []) {
    if (valueFrom === undefined) {
      variables.set(name, expand(value ?? '', key => variables.get(key)));
      continue;
    }
    const resolved = fromSource(valueFrom, source);
    if (typeof resolved === 'string') variables.set(name, resolved);
    else if (resolved !== undefined) missing.push(resolved.missing);
  }
  return {variables, missing};
}

function bulk({configMapRef, secretRef}: V1EnvFromSource, source: LaunchSource): {values: Record<string, string>; absent?: string} {
  const ref = configMapRef ?? secretRef;
  if (ref?.name === undefined) return {values: {}};
  const kind = configMapRef === undefined ? 'Secret' : 'ConfigMap';
  const values = kind === 'Secret' ? source.secrets?.(ref.name) : source.configMaps(ref.name);
  if (values === undefined && ref.optional !== true) return {values: {}, absent: describe(kind, ref.name)};
  return {values: values ?? {}};
}

function describe(kind: string, name: string, key?: string): string {
  return key === undefined ? `${kind} ${name}` : `key ${key} of ${kind} ${name}`;
}

/** undefined: an optional reference to what is not there, so the variable is not set. */
function fromSource(from: V1EnvVarSource, source: LaunchSource): string | {missing: string} | undefined {
  if (from.fieldRef !== undefined) return fieldValue(from.fieldRef.fieldPath, source.template, source);
  if (from.resourceFieldRef !== undefined) return placeholder(from.resourceFieldRef.resource);
  const ref = from.configMapKeyRef ?? from.secretKeyRef;
  if (ref?.name === undefined) return placeholder('a source that is not known');
  const data = from.configMapKeyRef === undefined ? source.secrets?.(ref.name) : source.configMaps(ref.name);
  const value = data?.[ref.key];
  if (value !== undefined) return value;
  return ref.optional === true ? undefined : {missing: describe(from.configMapKeyRef === undefined ? 'Secret' : 'ConfigMap', ref.name, ref.key)};
}

/** The downward API's fields, as far as they are known before the pod exists. */
export function fieldValue(path: string, template: V1PodTemplateSpec, pod: {podName: string; namespace: string}): string {
  if (path === 'metadata.name') return pod.podName;
  if (path === 'metadata.namespace') return pod.namespace;
  if (path === 'spec.serviceAccountName') return template.spec?.serviceAccountName ?? 'default';
  const keyed = /^metadata\.(labels|annotations)\['(.+)'\]$/.exec(path);
  if (keyed?.[2] === undefined) return placeholder(path === 'status.podIPs' ? 'status.podIP' : path);
  return keyed[1] === 'labels' ? labelValue(keyed[2], template, pod.podName) : template.metadata?.annotations?.[keyed[2]] ?? '';
}

/** The controller adds two labels to the template's. */
function labelValue(key: string, template: V1PodTemplateSpec, podName: string): string {
  const own = template.metadata?.labels?.[key];
  if (own !== undefined) return own;
  if (key === 'statefulset.kubernetes.io/pod-name') return podName;
  return key === 'apps.kubernetes.io/pod-index' ? /-(\d+)$/.exec(podName)?.[1] ?? '' : '';
}

export function missingProblem(container: string, missing: string[]): LaunchProblem {
  return {
    ok: false,
    reason: 'MissingConfig',
    message: `container ${container} takes its environment from ${missing.join(', ')}, which cannot be read: `
      + 'create it, or let the operator read it',
  };
}
