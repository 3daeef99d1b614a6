import type {V1PodSpec} from '@kubernetes/client-node';
import {settings} from '../operator/settings.ts';
import type {Setting} from '../operator/settings.ts';

/** The label that the chart gives every operator's Deployment and its pods. */
export const operatorLabel = 'app.kubernetes.io/name=quorum-recovery-operator';

type Container = V1PodSpec['containers'][number];

/** What a container is given for a list of namespaces; a flag outweighs the environment, as in the operator's own reading of them. */
function namespacesOf({args = [], command = [], env = []}: Container, {flag, env: name}: Setting): string[] {
  const words = [...command, ...args];
  const flags = words.flatMap((word, index) => {
    if (word.startsWith(`--${flag}=`)) return [word.slice(flag.length + 3)];
    return word === `--${flag}` ? [words[index + 1] ?? ''] : [];
  });
  const value = flags.at(-1) ?? env.find((variable) => variable.name === name)?.value ?? '';
  return value.split(',').map((part) => part.trim()).filter((part) => part !== '');
}

/**
 * Whether an operator with this pod serves a namespace: several may be installed, each for namespaces of its own. One whose settings do not
 * tell counts as serving it, since its word must not be missed.
 */
export function serves(spec: V1PodSpec | undefined, namespace: string): boolean {
  return (spec?.containers ?? []).every((container) => {
    const served = namespacesOf(container, settings.namespaces);
    return (served.length === 0 || served.includes(namespace)) && !namespacesOf(container, settings.excludedNamespaces).includes(namespace);
  });
}
