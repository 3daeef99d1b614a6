import {Scenario} from './scenario.ts';

/** A view of a case, for another of its namespaces, or for another operator's pods. */
const viewOf = ({environment}: Scenario, namespace: string, operatorNamespace = environment.operatorNamespace): Scenario =>
  new Scenario({...environment, operatorNamespace}, namespace);

/** The same case with these operators in the place of the common one. */
export const withOperatorsIn = (scenario: Scenario, operatorNamespace: string): Scenario => viewOf(scenario, scenario.namespace, operatorNamespace);

/** More clusters for one case, each in a namespace of its own. They are taken away at its end, before the case's own. */
export async function withClusters(scenario: Scenario, namespaces: readonly string[], act: (clusters: Scenario[]) => Promise<void>): Promise<void> {
  const clusters = namespaces.map((namespace) => viewOf(scenario, namespace));
  try {
    await Promise.all(clusters.map(async (cluster) => { await cluster.begin(); }));
    await act(clusters);
  } finally {
    if (process.env['KEEP'] !== '1') await Promise.all(clusters.map(async (cluster) => { await cluster.end(); }));
  }
}
