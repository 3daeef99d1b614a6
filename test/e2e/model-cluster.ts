import type {EtcdMember} from '../../src/etcd/types.ts';
import type {KubernetesClient} from '../../src/kubernetes/client.ts';
import {loadKubeConfig} from '../../src/kubernetes/client-config.ts';
import {HttpKubernetesClient} from '../../src/kubernetes/client-http.ts';
import type {Cluster, Given, NodeRole} from '../model/cluster.ts';
import {defaultImage} from './etcd.ts';
import {deleteNodes, labOf, signalPod} from './faults.ts';
import type {Scenario} from './scenario.ts';
import {holds, until} from './wait.ts';

const plurals = {StatefulSet: 'statefulsets', Service: 'services', QuorumRecovery: 'quorumrecoveries'} as const;

/** The lab, for the behaviours that it shares with the simulation's model. */
export class LabCluster implements Cluster {
  readonly namespace: string;
  readonly image = defaultImage;
  readonly client: KubernetesClient;
  readonly notes = new Map<string, string>();
  readonly #scenario: Scenario;
  readonly #nodes: ReadonlyMap<NodeRole, string>;

  constructor(scenario: Scenario, nodes: ReadonlyMap<NodeRole, string>) {
    this.#scenario = scenario;
    this.#nodes = nodes;
    this.namespace = scenario.namespace;
    this.client = new HttpKubernetesClient(loadKubeConfig(scenario.environment.kubeconfig));
  }

  node(role: NodeRole): string {
    const name = this.#nodes.get(role);
    if (name === undefined) throw new Error(`no node was added as ${role}`);
    return name;
  }

  async make<K extends keyof Given>(kind: K, object: Given[K]): Promise<void> {
    await this.#scenario.kube.create(plurals[kind], object as never);
  }

  async remove(kind: keyof Given, name: string): Promise<void> {
    await this.#scenario.kube.delete(plurals[kind], this.namespace, name);
  }

  async etcd(pod: string): Promise<EtcdMember> {
    const address = (await this.#scenario.pod(pod))?.status?.podIP;
    if (address === undefined) throw new Error(`${pod} has no address`);
    return this.#scenario.tool.member({pod, address, port: 2379});
  }

  async kill(pod: string): Promise<void> {
    signalPod(await this.#scenario.pod(pod), '/usr/local/bin/etcd', 'SIGKILL');
  }

  async endNode(role: NodeRole): Promise<void> {
    await labOf(this.#scenario).endNode(this.node(role));
  }

  async deleteNode(role: NodeRole): Promise<void> {
    await deleteNodes(this.#scenario, [this.node(role)]);
  }

  async takeOutOfService(role: NodeRole): Promise<void> {
    const {kube} = this.#scenario;
    const taints = (await kube.get('nodes', '', this.node(role)))?.spec?.taints ?? [];
    await kube.patch('nodes', '', this.node(role), {spec: {taints: [...taints, {key: 'node.kubernetes.io/out-of-service', value: 'nodeshutdown', effect: 'NoExecute'}]}});
  }

  async cutOff(role: NodeRole): Promise<void> {
    const lab = labOf(this.#scenario);
    const others = lab.nodes().map(({name}) => name).filter((name) => name !== this.node(role));
    await lab.partition([this.node(role)], [...others, 'api'], this.namespace);
  }

  async reconnect(): Promise<void> {
    await labOf(this.#scenario).heal(this.namespace);
  }

  async until<T>(what: string, look: () => Promise<T | undefined>, seconds = 60): Promise<T> {
    return await until(what, look, {seconds});
  }

  async holds(what: string, seconds: number, look: () => Promise<void>): Promise<void> {
    await holds(what, seconds, async () => await look().then(() => undefined, (error: unknown) => (error instanceof Error ? error.message : String(error))));
  }
}
