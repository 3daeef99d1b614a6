import {setTimeout as delay} from 'node:timers/promises';
import type {Lab} from '../lab/lab.ts';
import {setName} from '../e2e/etcd.ts';
import {deleteNodes, signalPod} from '../e2e/faults.ts';
import {handOver, killOperator, leader} from '../e2e/operator.ts';
import {recovery} from '../e2e/recovery.ts';
import {Missing, until} from '../e2e/wait.ts';
import type {Random} from '../simulation/random.ts';
import type {SoakCluster} from './cluster.ts';
import {fatal} from './shapes.ts';

/** What a fault finds: the lab, the cluster that it hits, and its own dice. */
export interface Around {
  lab: Lab;
  cluster: SoakCluster;
  random: Random;
  /** The nodes that the operators run on. */
  operatorNodes: readonly string[];
}

export interface Fault {
  name: string;
  /** How often it is drawn, beside the others. */
  weight: number;
  /** The quorum is lost for good: a run has to force a new cluster. Every other fault has to pass without one. */
  forGood?: boolean;
  /** The leading operator's process ends: what it held cannot be compared with what comes after. */
  endsOperator?: boolean;
  /** Returns once it is over, as far as it ends by itself; in words, what was done to whom. */
  act: (around: Around) => Promise<Done>;
}

export interface Done {
  words: string;
  /** When the quorum was gone, ms since the epoch; undefined: it was not, or nobody knows. */
  ended?: number;
  /** Nodes that are gone for good. */
  nodes?: string[];
}

const pick = <T>(random: Random, list: readonly T[]): T => {
  const found = list[random.below(list.length)];
  if (found === undefined) throw new Error('there is nothing to pick from');
  return found;
};

const seconds = (random: Random, low: number, high: number): number => random.between(low * 1000, high * 1000);
const told = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;
const pods = ({shape}: SoakCluster): string[] => Array.from({length: shape.replicas}, (_, ordinal) => `${setName}-${ordinal}`);

/** Nodes whose end takes the quorum, and leaves a member. */
async function fatalNodes({cluster, random}: Around): Promise<{nodes: string[]; lost: string[]}> {
  const places = await Promise.all(pods(cluster).map(async (pod) => ({pod, node: await cluster.scenario.nodeOf(pod)})));
  const nodes: string[] = [];
  const lost = (): string[] => places.filter(({node}) => nodes.includes(node)).map(({pod}) => pod);
  for (const node of random.shuffled([...new Set(places.map((place) => place.node))].sort())) {
    if (lost().length >= fatal(cluster.shape)) break;
    const more = places.filter((place) => place.node === node).length;
    if (lost().length + more < cluster.shape.replicas) nodes.push(node);
  }
  if (lost().length < fatal(cluster.shape)) throw new Error(`no nodes of ${cluster.scenario.namespace} make its quorum: ${JSON.stringify(places)}`);
  return {nodes, lost: lost()};
}

async function endNodes({lab}: Around, nodes: readonly string[]): Promise<number> {
  await Promise.all(nodes.map(async (node) => { await lab.endNode(node); }));
  return Date.now();
}

async function deleted(around: Around): Promise<Done> {
  const {nodes, lost} = await fatalNodes(around);
  const ended = await endNodes(around, nodes);
  await deleteNodes(around.cluster.scenario, nodes);
  return {words: `nodes of ${lost.join(', ')} ended and deleted`, ended, nodes};
}

async function outOfService(around: Around): Promise<Done> {
  const {nodes, lost} = await fatalNodes(around);
  const ended = await endNodes(around, nodes);
  const {kube} = around.cluster.scenario;
  for (const node of nodes) {
    await kube.patch('nodes', '', node, {spec: {taints: [{key: 'node.kubernetes.io/out-of-service', value: 'nodeshutdown', effect: 'NoExecute'}]}});
  }
  return {words: `nodes of ${lost.join(', ')} ended and tainted as out of service`, ended, nodes};
}

/** The leader of the operators ends while its run is somewhere between plan and release. */
async function deletedAndKilled(around: Around): Promise<Done> {
  const {cluster, random} = around;
  const done = await deleted(around);
  const phase = pick(random, ['Planning', 'Holding', 'Preserving', 'ForcingNewCluster', 'Decommissioning', 'Rejoining', 'Verifying']);
  const order = ['Watching', 'Suspected', 'Planning', 'Holding', 'Preserving', 'ForcingNewCluster', 'Decommissioning', 'Rejoining', 'Verifying', 'Complete'];
  const seen = await until(`a run in ${phase} or later`, async () => {
    const {status} = await recovery(cluster.scenario);
    const at = status?.phase ?? '';
    return order.indexOf(at) >= order.indexOf(phase) ? at : new Missing(at);
  }, {seconds: 180, every: 20});
  killOperator(await leader(cluster.scenario));
  return {...done, words: `${done.words}; the leading operator killed in ${seen}`};
}

/** Whoever looked at the cluster from the API server's side sees its machines go, and come back with their disks. */
async function powerCut(around: Around, nodes: readonly string[], lost: readonly string[]): Promise<Done> {
  const ended = await endNodes(around, nodes);
  const ms = seconds(around.random, 3, 12);
  await delay(ms);
  await Promise.all(nodes.map(async (node) => { await around.lab.startNode(node); }));
  return {words: `power cut of ${lost.join(', ')} for ${told(ms)}`, ended};
}

export const faults: readonly Fault[] = [
  {name: 'nodes deleted', weight: 8, forGood: true, act: deleted},
  {name: 'nodes out of service', weight: 5, forGood: true, act: outOfService},
  {name: 'nodes deleted, operator killed', weight: 5, forGood: true, endsOperator: true, act: deletedAndKilled},
  {name: 'process killed', weight: 2, act: async ({cluster, random}) => {
    const pod = pick(random, pods(cluster));
    signalPod(await cluster.scenario.pod(pod), '/usr/local/bin/etcd', 'SIGKILL');
    return {words: `etcd of ${pod} killed`};
  }},
  {name: 'pod deleted', weight: 2, act: async ({cluster, random}) => {
    const [pod, grace] = [pick(random, pods(cluster)), random.chance(0.5) ? 0 : undefined];
    await cluster.scenario.kube.delete('pods', cluster.scenario.namespace, pod, grace);
    return {words: `${pod} deleted${grace === 0 ? ' by force' : ''}`};
  }},
  {name: 'all pods deleted', weight: 2, act: async ({cluster}) => {
    for (const pod of pods(cluster)) await cluster.scenario.kube.delete('pods', cluster.scenario.namespace, pod);
    return {words: 'every pod deleted'};
  }},
  {name: 'rolling restart', weight: 1, act: async ({cluster, lab}) => {
    const {scenario} = cluster;
    await lab.kubectl(['-n', scenario.namespace, 'rollout', 'restart', `statefulset/${setName}`]);
    scenario.specBefore = JSON.stringify((await scenario.statefulSet()).spec);
    await lab.kubectl(['-n', scenario.namespace, 'rollout', 'status', `statefulset/${setName}`, '--timeout=240s']);
    return {words: 'every pod restarted in turn'};
  }},
  {name: 'node drained', weight: 2, act: async ({cluster, lab, random}) => {
    const pod = pick(random, pods(cluster));
    const node = await cluster.scenario.nodeOf(pod);
    const ms = seconds(random, 1, 8);
    await lab.kubectl(['drain', node, '--ignore-daemonsets', '--delete-emptydir-data', '--timeout=60s']);
    await delay(ms);
    await lab.kubectl(['uncordon', node]);
    return {words: `node of ${pod} drained for ${told(ms)}`};
  }},
  {name: 'power cut of one', weight: 2, act: async (around) => {
    const pod = pick(around.random, pods(around.cluster));
    const {words} = await powerCut(around, [await around.cluster.scenario.nodeOf(pod)], [pod]);
    return {words};
  }},
  {name: 'power cut of a quorum', weight: 3, act: async (around) => {
    const {nodes, lost} = await fatalNodes(around);
    return await powerCut(around, nodes, lost);
  }},
  {name: 'node cut off', weight: 2, act: async ({cluster, lab, random}) => {
    const pod = pick(random, pods(cluster));
    const node = await cluster.scenario.nodeOf(pod);
    const ms = seconds(random, 3, 10);
    try {
      await lab.partition([node], ['api', ...lab.nodes().map(({name}) => name).filter((name) => name !== node)], 'soak');
      await delay(ms);
    } finally {
      await lab.heal('soak');
    }
    return {words: `node of ${pod} cut off for ${told(ms)}`};
  }},
  {name: 'operators cut off', weight: 2, act: async ({cluster, lab, random, operatorNodes}) => {
    const ms = seconds(random, 5, 15);
    try {
      await lab.partition(operatorNodes, cluster.scenario.nodes.filter((node) => lab.nodes().some(({name}) => name === node)), 'soak');
      await delay(ms);
    } finally {
      await lab.heal('soak');
    }
    return {words: `operators cut off from its nodes for ${told(ms)}`};
  }},
  {name: 'API server stalled', weight: 2, act: async ({lab, random}) => {
    const ms = seconds(random, 3, 8);
    await lab.stallAPIServer(ms);
    return {words: `the API server stopped for ${told(ms)}`};
  }},
  {name: 'operator killed', weight: 2, endsOperator: true, act: async ({cluster}) => {
    const first = await leader(cluster.scenario);
    const after = await handOver(cluster.scenario, first, () => { killOperator(first); });
    return {words: `the leading operator killed; another one led after ${after.toFixed(1)} s`};
  }},
  {name: 'operator deleted', weight: 1, endsOperator: true, act: async ({cluster}) => {
    const first = await leader(cluster.scenario);
    const after = await handOver(cluster.scenario, first, async () => { await cluster.scenario.kube.delete('pods', first.metadata?.namespace ?? '', first.metadata?.name ?? ''); });
    return {words: `the leading operator's pod deleted; another one led after ${after.toFixed(1)} s`};
  }},
];

/** One of those that may come now, each as often as its weight says. */
export function draw(random: Random, among: readonly Fault[]): Fault {
  let left = random.next() * among.reduce((sum, {weight}) => sum + weight, 0);
  for (const fault of among) {
    left -= fault.weight;
    if (left < 0) return fault;
  }
  return pick(random, among);
}
