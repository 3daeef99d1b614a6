import type {Cluster, Given, NodeRole} from '../model/cluster.ts';
import type {EtcdMember} from '../../src/etcd/types.ts';
import type {KubernetesClient} from '../../src/kubernetes/client.ts';
import type {Process} from './etcd.ts';
import {SimClient} from './client.ts';
import {SimMemberClient} from './member.ts';
import {World} from './world.ts';

const stepMs = 1_000;

/** The simulation's model, for the behaviours that it shares with the lab. Each call is answered at once; time passes in `until` and `holds`. */
export class SimCluster implements Cluster {
  readonly world: World;
  readonly namespace: string;
  readonly image = 'registry.example/etcd:3.6.16';
  readonly client: KubernetesClient;
  readonly notes = new Map<string, string>();

  constructor(seed: number, nodes: readonly NodeRole[]) {
    this.world = new World({seed, liveness: false, policyLagMs: 2_000});
    this.namespace = this.world.namespace;
    this.client = new SimClient(this.world, async (_, perform) => await Promise.resolve().then(perform));
    for (const role of nodes) this.world.addNode(this.node(role));
  }

  node(role: NodeRole): string {
    return `node-${role}`;
  }

  async make<K extends keyof Given>(kind: K, object: Given[K]): Promise<void> {
    await Promise.resolve(this.world.store.create<keyof Given>(kind, object));
  }

  async remove(kind: keyof Given, name: string): Promise<void> {
    await Promise.resolve(this.world.store.delete(kind, this.namespace, name));
  }

  async etcd(pod: string): Promise<EtcdMember> {
    const address = (await this.client.get('Pod', this.namespace, pod))?.status?.podIP;
    if (address === undefined) throw new Error(`${pod} has no address`);
    return new SimMemberClient(this.world.etcd, address, () => this.world.processAt(address), async (_, perform) => await Promise.resolve().then(perform));
  }

  async kill(pod: string): Promise<void> {
    const process = this.#processOf((await this.client.get('Pod', this.namespace, pod))?.metadata?.uid);
    this.world.machines.get(process.node)?.kubelet.crash(process);
  }

  async endNode(role: NodeRole): Promise<void> {
    await Promise.resolve();
    this.world.destroyMachine(this.node(role));
  }

  async deleteNode(role: NodeRole): Promise<void> {
    await Promise.resolve();
    this.world.deleteNode(this.node(role));
  }

  async takeOutOfService(role: NodeRole): Promise<void> {
    await Promise.resolve();
    this.world.store.change('Node', undefined, this.node(role), (draft) => { draft.spec = {...draft.spec, taints: [{key: 'node.kubernetes.io/out-of-service', effect: 'NoExecute'}]}; });
  }

  async cutOff(role: NodeRole): Promise<void> {
    await Promise.resolve();
    this.world.disconnect(this.node(role));
  }

  async reconnect(role: NodeRole): Promise<void> {
    await Promise.resolve();
    this.world.reconnect(this.node(role));
  }

  async until<T>(what: string, look: () => Promise<T | undefined>, seconds = 60): Promise<T> {
    let last: unknown;
    for (let passed = 0; passed <= seconds; passed += 1) {
      try {
        const answer = await look();
        if (answer !== undefined) return answer;
      } catch (error) {
        last = error;
      }
      this.world.tick(stepMs);
    }
    throw new Error(`${what}: not within ${seconds} s; at the end: ${last instanceof Error ? last.message : 'no'}`);
  }

  async holds(what: string, seconds: number, look: () => Promise<void>): Promise<void> {
    for (let passed = 0; passed <= seconds; passed += 1) {
      try {
        await look();
      } catch (error) {
        throw new Error(`${what}: ${error instanceof Error ? error.message : String(error)}`, {cause: error});
      }
      this.world.tick(stepMs);
    }
  }

  #processOf(uid: string | undefined): Process {
    const found = [...this.world.etcd.processes].find((process) => process.podUID === uid);
    if (found === undefined) throw new Error('there is no etcd to be killed');
    return found;
  }
}
