import {join} from 'node:path';
import {operatorImageReference} from '../lab/operator-image.ts';
import {labOf} from './faults.ts';
import {installOperator, operatorNodes, uninstallOperator} from './install.ts';
import type {Installation} from './install.ts';
import type {Scenario} from './scenario.ts';

/** How many clusters the case of many is asked for, where not its own number. */
export const clustersAskedFor = (): number | undefined => (process.env['CLUSTERS'] === undefined ? undefined : Number(process.env['CLUSTERS']));

/** Namespaces that a case with an operator of its own can use, by that of its scenario. */
export const ownNamespaces = (namespace: string): string[] =>
  [namespace, ...Array.from({length: Math.max(3, (clustersAskedFor() ?? 0) - 1)}, (_, index) => `${namespace}-${index + 2}`)];

/** The release's name, and that of its Deployment. */
export const ownRelease = (namespace: string): string => `${namespace}-quorum-recovery-operator`;

/** Whoever follows a killed leader waits this long: shorter than the default, since it is done again and again. */
export const leaderElection = {leaseDurationSeconds: 10, renewDeadlineSeconds: 8, retryPeriodSeconds: 1};

function installationOf(scenario: Scenario): Installation {
  const {operatorNamespace} = scenario.environment;
  if (process.env['E2E_NAMESPACE'] === undefined || operatorNamespace === undefined) {
    throw new Error('this case kills an operator of its own, and the others must leave its namespace alone: run it by "make e2e CASES=..."');
  }
  return besideOthers(scenario, {release: ownRelease(scenario.namespace), namespace: operatorNamespace, values: {watchNamespaces: ownNamespaces(scenario.namespace)}});
}

/** A release of the chart beside the common one, which has the CustomResourceDefinition and the policy. */
function besideOthers(scenario: Scenario, {values, ...named}: Pick<Installation, 'release' | 'namespace' | 'values'>): Installation {
  const lab = labOf(scenario);
  return {
    kubeconfig: lab.kubeconfig, helm: join(lab.bin, 'helm'), image: operatorImageReference, ...named,
    values: {...values, leaderElection, crds: {enabled: false}, policy: {enabled: false}, nodeSelector: operatorNodes},
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

/** One of several operators of a case, each with values of its own. */
export interface Shard {
  name: string;
  values: Record<string, unknown>;
}

/** Where the shards of a case run: a namespace for all of them. */
export const shardNamespace = ({namespace}: Scenario): string => `${namespace}-operators`;

const shardRelease = ({namespace}: Scenario, {name}: Shard): string => `${namespace}-${name}`;

/** The name of a shard's Deployment, and of its Lease. */
export const shardDeployment = (scenario: Scenario, shard: Shard): string => `${shardRelease(scenario, shard)}-quorum-recovery-operator`;

/** The case with operators of its own beside the common one, one replica each. They go with its end, so that no later case counts them. */
export async function withShards(scenario: Scenario, shards: readonly Shard[], act: () => Promise<void>): Promise<void> {
  const namespace = shardNamespace(scenario);
  const installations = shards.map((shard) => besideOthers(scenario, {release: shardRelease(scenario, shard), namespace, values: {replicas: 1, ...shard.values}}));
  try {
    await Promise.all(installations.map(installOperator));
    await act();
  } finally {
    if (process.env['KEEP'] !== '1') {
      await Promise.all(installations.map(uninstallOperator));
      await scenario.kube.delete('namespaces', '', namespace);
    }
  }
}
