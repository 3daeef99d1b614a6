import type {V1PodSpec} from '@kubernetes/client-node';
import type {QuorumRecovery} from '../api/types.ts';
import {parseSelector, selects} from '../kubernetes/selectors.ts';
import {settings} from '../operator/settings.ts';
import type {Setting} from '../operator/settings.ts';

/** The label that the chart gives every operator's Deployment and its pods. */
export const operatorLabel = 'app.kubernetes.io/name=quorum-recovery-operator';

type Container = V1PodSpec['containers'][number];
type Labels = Record<string, string>;

/** What is asked for: a namespace, or a resource in it. */
export interface Subject {
  namespace: string;
  /** undefined: they may not be read. */
  namespaceLabels: Labels | undefined;
  /** undefined: there is none yet. */
  resource?: QuorumRecovery | undefined;
}

/** What a container is given for a setting; a flag outweighs the environment, as in the operator's own reading of them. */
function valueOf({args = [], command = [], env = []}: Container, {flag, env: name, fallback = ''}: Setting): string {
  const words = [...command, ...args];
  const flags = words.flatMap((word, index) => {
    if (word.startsWith(`--${flag}=`)) return [word.slice(flag.length + 3)];
    return word === `--${flag}` ? [words[index + 1] ?? ''] : [];
  });
  return flags.at(-1) ?? env.find((variable) => variable.name === name)?.value ?? fallback;
}

const namesIn = (text: string): string[] => text.split(',').map((part) => part.trim()).filter((part) => part !== '');

/** Labels that are not known, and a selector that cannot be read, rule nothing out. */
function mayMatch(selector: string, labels: Labels | undefined): boolean {
  if (selector.trim() === '' || labels === undefined) return true;
  try {
    return selects(parseSelector(selector), labels);
  } catch {
    return true;
  }
}

/**
 * Whether an operator with this pod serves a namespace, or a resource in it: several may be installed, each with resources of its own. One
 * whose settings do not tell counts as serving it, since its word must not be missed.
 */
export function serves(spec: V1PodSpec | undefined, {namespace, namespaceLabels, resource}: Subject): boolean {
  return (spec?.containers ?? []).every((container) => {
    const served = namesIn(valueOf(container, settings.namespaces));
    return (served.length === 0 || served.includes(namespace)) && !namesIn(valueOf(container, settings.excludedNamespaces)).includes(namespace)
      && mayMatch(valueOf(container, settings.namespaceSelector), namespaceLabels)
      && (resource === undefined || mayMatch(valueOf(container, settings.resourceSelector), resource.metadata.labels ?? {}));
  });
}

/** Whether an operator with this pod carries the resource's run out, whether it still serves the resource or not. */
export function carriesOut(operatorNamespace: string, spec: V1PodSpec | undefined, {status}: QuorumRecovery): boolean {
  const {run} = status ?? {};
  if (run?.operator === undefined || run.finishedAt !== undefined) return false;
  return (spec?.containers ?? []).some((container) => run.operator === `${operatorNamespace}/${valueOf(container, settings.leaseName)}`);
}

/** By what labels an operator with this pod picks, for people; empty: by none. */
export const selectorsOf = (spec: V1PodSpec | undefined): string => (spec?.containers ?? []).flatMap((container) => [
  ...[settings.namespaceSelector, settings.resourceSelector].flatMap((setting) => {
    const value = valueOf(container, setting);
    return value === '' ? [] : [`--${setting.flag}=${value}`];
  }),
]).join(' ');
