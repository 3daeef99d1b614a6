import {join} from 'node:path';
import {projectDirectory} from '../lab/paths.ts';
import {run} from '../lab/shell.ts';

export const operatorNamespace = 'quorum-recovery';

export interface Installation {
  kubeconfig: string;
  helm: string;
  /** The operator's image, as repository and tag. Undefined: what the chart names. */
  image: string | undefined;
}

/** Installs the chart as a user does, and returns once its replicas are ready. */
export async function installOperator({kubeconfig, helm, image}: Installation): Promise<void> {
  const [repository, tag] = image === undefined ? [] : splitImage(image);
  const chosen = repository === undefined ? [] : ['--set', `image.repository=${repository}`, '--set', `image.tag=${tag ?? ''}`];
  await run(helm, [
    'upgrade', '--install', 'quorum-recovery-operator', join(projectDirectory, 'charts', 'quorum-recovery-operator'),
    ...['--kubeconfig', kubeconfig, '--namespace', operatorNamespace, '--create-namespace', '--wait', '--timeout', '3m', '--set', 'logLevel=debug', ...chosen],
  ]);
}

function splitImage(image: string): [repository: string, tag: string] {
  const colon = image.lastIndexOf(':');
  return colon > image.lastIndexOf('/') ? [image.slice(0, colon), image.slice(colon + 1)] : [image, 'latest'];
}
