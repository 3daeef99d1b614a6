import {join} from 'node:path';
import type {Lab} from '../lab/lab.ts';
import {operatorImageReference} from '../lab/operator-image.ts';
import {projectDirectory} from '../lab/paths.ts';
import {run} from '../lab/shell.ts';

export const release = 'quorum-recovery-operator';
export const operatorNamespace = 'quorum-recovery-system';

/** Installs the chart as a user would, with the image that the lab's nodes have, and returns once both replicas are ready. */
export async function installOperator(lab: Lab, nodeSelector: Record<string, string> = {}): Promise<void> {
  const [repository = '', tag = ''] = operatorImageReference.split(':');
  const values = {image: {repository, tag}, nodeSelector};
  await run(join(lab.bin, 'helm'), [
    'upgrade', release, join(projectDirectory, 'charts', 'quorum-recovery-operator'), '--install', '--kubeconfig', lab.kubeconfig,
    '--namespace', operatorNamespace, '--create-namespace', '--wait', '--timeout', '3m', '--values', '-',
  ], {input: JSON.stringify(values)});
}
