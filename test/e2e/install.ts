import {join} from 'node:path';
import type {Lab} from '../lab/lab.ts';
import {operatorImageReference} from '../lab/operator-image.ts';
import {projectDirectory} from '../lab/paths.ts';
import {run} from '../lab/shell.ts';

export const operatorNamespace = 'quorum-recovery-system';

export interface Installation {
  kubeconfig: string;
  /** helm's program. */
  helm: string;
  /** The operator's image. Undefined: what the chart names. */
  image?: string | undefined;
  nodeSelector?: Record<string, string>;
}

/** Installs the chart as a user does, and returns once its replicas are ready. */
export async function installOperator({kubeconfig, helm, image, nodeSelector}: Installation): Promise<void> {
  const values = {logLevel: 'debug', ...(image !== undefined && {image: splitImage(image)}), ...(nodeSelector && {nodeSelector})};
  await run(helm, [
    'upgrade', 'quorum-recovery-operator', join(projectDirectory, 'charts', 'quorum-recovery-operator'), '--install', '--kubeconfig', kubeconfig,
    '--namespace', operatorNamespace, '--create-namespace', '--wait', '--timeout', '3m', '--values', '-',
  ], {input: JSON.stringify(values)});
}

/** The same in a lab, with the image that its nodes have. */
export const installInLab = async (lab: Lab, nodeSelector?: Record<string, string>): Promise<void> => {
  await installOperator({kubeconfig: lab.kubeconfig, helm: join(lab.bin, 'helm'), image: operatorImageReference, ...(nodeSelector && {nodeSelector})});
};

function splitImage(image: string): {repository: string; tag: string} {
  const colon = image.lastIndexOf(':');
  return colon > image.lastIndexOf('/') ? {repository: image.slice(0, colon), tag: image.slice(colon + 1)} : {repository: image, tag: 'latest'};
}
