import {join} from 'node:path';
import {operatorImageReference} from '../lab/operator-image.ts';
import {labOf} from './faults.ts';
import {installOperator, operatorNodes, uninstallOperator} from './install.ts';
import type {Installation} from './install.ts';
import type {Scenario} from './scenario.ts';

/** Namespaces that a case with an operator of its own can use, by that of its scenario. */
export const ownNamespaces = (namespace: string): string[] => [namespace, `${namespace}-b`, `${namespace}-c`];

/** The release's name, and that of its Deployment. */
export const ownRelease = (namespace: string): string => `${namespace}-quorum-recovery-operator`;

/** Whoever follows a killed leader waits this long: shorter than the default, since it is done again and again. */
const leaderElection = {leaseDurationSeconds: 10, renewDeadlineSeconds: 8, retryPeriodSeconds: 1};

function installationOf(scenario: Scenario): Installation {
  const {operatorNamespace} = scenario.environment;
  if (process.env['E2E_NAMESPACE'] === undefined || operatorNamespace === undefined) {
    throw new Error('this case kills an operator of its own, and the others must leave its namespace alone: run it by "make e2e CASES=..."');
  }
  const lab = labOf(scenario);
  return {
    kubeconfig: lab.kubeconfig, helm: join(lab.bin, 'helm'), image: operatorImageReference, release: ownRelease(scenario.namespace), namespace: operatorNamespace,
    values: {watchNamespaces: ownNamespaces(scenario.namespace), leaderElection, crds: {enabled: false}, policy: {enabled: false}, nodeSelector: operatorNodes},
  };
}

/** A second release of the chart, beside the common one, for this case's namespaces. */
export async function installOwnOperator(scenario: Scenario): Promise<void> {
  await installOperator(installationOf(scenario));
}

export async function uninstallOwnOperator(scenario: Scenario): Promise<void> {
  await uninstallOperator(installationOf(scenario));
}

export async function removeOwnOperator(scenario: Scenario): Promise<void> {
  const installation = installationOf(scenario);
  await uninstallOperator(installation);
  await scenario.kube.delete('namespaces', '', installation.namespace ?? '');
}
