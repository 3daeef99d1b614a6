import type {NodeRole, Story} from '../../model/cluster.ts';
import {stories} from '../../model/stories.ts';
import {e2e} from '../case.ts';
import {LabCluster} from '../model-cluster.ts';
import type {Scenario} from '../scenario.ts';

/** One story in the lab, up to the first behaviour that differs: what follows builds on it. That one, in words. */
async function tell(scenario: Scenario, nodes: ReadonlyMap<NodeRole, string>, {name, behaviours}: Story): Promise<string[]> {
  const cluster = new LabCluster(scenario, nodes);
  for (const {title, act} of behaviours) {
    const begin = Date.now();
    try {
      await act(cluster);
    } catch (error) {
      return [`${name}: ${title}: ${error instanceof Error ? error.stack ?? error.message : String(error)}`];
    }
    console.log(`      as modelled (${((Date.now() - begin) / 1000).toFixed(1)} s) ${name}: ${title}`);
  }
  return [];
}

/** Stories side by side in one namespace, on nodes that they share unless they end them. */
async function compare(scenario: Scenario, of: Story['of']): Promise<void> {
  const told = stories.filter((story) => story.of === of);
  const roles = [...new Set(told.flatMap(({nodes}) => nodes))];
  const names = await scenario.addNodes(roles.length);
  const nodes = new Map(roles.map((role, index) => [role, names[index] ?? '']));
  const problems = (await Promise.all(told.map(async (story) => await tell(scenario, nodes, story)))).flat();
  if (problems.length > 0) throw new Error(`the lab does not behave as the simulation's model:\n${problems.join('\n')}`);
}

describe('The lab behaves as the simulation\'s model does', () => {
  e2e('in Kubernetes', async (scenario) => { await compare(scenario, 'Kubernetes'); }, {unserved: true});
  e2e('in etcd', async (scenario) => { await compare(scenario, 'etcd'); }, {unserved: true});
});
