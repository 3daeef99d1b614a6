import type {V1EnvVar, V1Pod} from '@kubernetes/client-node';

/** Value of a downward API field that depends on the pod's identity; undefined: it does not, or cannot be told here. */
function fieldValue(own: V1Pod, path: string): string | undefined {
  if (path === 'metadata.name') return own.metadata?.name;
  const [, kind, key] = /^metadata\.(labels|annotations)\['(.+)'\]$/.exec(path) ?? [];
  if (key === undefined) return undefined;
  return (kind === 'labels' ? own.metadata?.labels : own.metadata?.annotations)?.[key] ?? '';
}

/** A helper pod has another name and other labels than the set's pod whose etcd it starts: its identity is written out. */
export function fixedEnvironment(own: V1Pod, env: readonly V1EnvVar[]): V1EnvVar[] {
  return env.map((variable) => {
    const path = variable.valueFrom?.fieldRef?.fieldPath;
    const value = path === undefined ? undefined : fieldValue(own, path);
    return value === undefined ? variable : {name: variable.name, value};
  });
}
