import {join} from 'node:path';
import type {Lab} from '../lab/lab.ts';
import {operatorImageReference} from '../lab/operator-image.ts';
import {projectDirectory} from '../lab/paths.ts';
import {run} from '../lab/shell.ts';

export const operatorNamespace = 'quorum-recovery-system';

/** Where the suite's operators run in the lab: each case ends nodes of its own, never these. */
export const operatorNodes = {'e2e-operators': 'here'};

export interface Installation {
  kubeconfig: string;
  /** helm's program. */
  helm: string;
  /** The operator's image. Undefined: what the chart names. */
  image?: string | undefined;
  /** Default: quorum-recovery-operator, in `operatorNamespace`. */
  release?: string;
  namespace?: string;
  /** More values of the chart. */
  values?: Record<string, unknown>;
}

/** Installs the chart as a user does, and returns once its replicas are ready. */
export async function installOperator({kubeconfig, helm, image, release = 'quorum-recovery-operator', namespace = operatorNamespace, values = {}}: Installation): Promise<void> {
  const all = {logLevel: 'debug', ...(image !== undefined && {image: splitImage(image)}), ...values};
  await run(helm, [
    'upgrade', release, join(projectDirectory, 'charts', 'quorum-recovery-operator'), '--install', '--kubeconfig', kubeconfig,
    '--namespace', namespace, '--create-namespace', '--wait', '--timeout', '5m', '--values', '-',
  ], {input: JSON.stringify(all)});
}

export async function uninstallOperator({kubeconfig, helm, release = 'quorum-recovery-operator', namespace = operatorNamespace}: Installation): Promise<void> {
  await run(helm, ['uninstall', release, '--kubeconfig', kubeconfig, '--namespace', namespace, '--ignore-not-found']);
}

/** The same in a lab, with the image that its nodes have. */
export const installInLab = async (lab: Lab, values: Record<string, unknown> = {}): Promise<void> => {
  await installOperator({kubeconfig: lab.kubeconfig, helm: join(lab.bin, 'helm'), image: operatorImageReference, values});
};

function splitImage(image: string): {repository: string; tag: string} {
  const colon = image.lastIndexOf(':');
  return colon > image.lastIndexOf('/') ? {repository: image.slice(0, colon), tag: image.slice(colon + 1)} : {repository: image, tag: 'latest'};
}
