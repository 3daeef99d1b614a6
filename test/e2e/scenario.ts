import type {V1Pod, V1StatefulSet} from '@kubernetes/client-node';
import type {MemberStatus} from '../../src/etcd/member.ts';
import {makeCertificates} from './certificates.ts';
import type {Certificates} from './certificates.ts';
import type {Environment} from './environment.ts';
import {etcdConfigMap, etcdServices, etcdSet, setName} from './etcd.ts';
import type {EtcdOptions} from './etcd.ts';
import {Forwards} from './forward.ts';
import {Kube} from './kube.ts';
import {Tool} from './tool-process.ts';
import type {Member, WriterReport} from './tool-protocol.ts';
import {Missing, until} from './wait.ts';

/** Where the amount matters: more than one answer of etcd holds, and a database of some size. */
export const manyKeys = 10_000;
/** Keys that every other etcd is filled with before it is broken. */
export const seedCount = 2_500;

const clientPort = 2379;
const writerName = 'w';

/** One case: a namespace, nodes and an etcd of its own, and the means to look at them and to break them. */
export class Scenario {
  readonly environment: Environment;
  readonly namespace: string;
  readonly kube: Kube;
  readonly tool: Tool;
  /** Undefined in the lab, whose pod network the tool is in. */
  readonly #forwards: Forwards | undefined;
  /** Nodes that were added for this case. */
  readonly nodes: string[] = [];
  #certificates: Certificates | undefined;
  #nodeCount = 0;
  #targeting: NodeJS.Timeout | undefined;
  /** Whom etcd answers, once it answers nobody else. */
  user: Member['auth'];
  /** What the StatefulSet's spec was, to be compared at the end. */
  specBefore: string | undefined;

  constructor(environment: Environment, namespace: string) {
    this.environment = environment;
    this.namespace = namespace;
    this.kube = new Kube(environment.kubeconfig);
    this.#forwards = environment.lab === undefined ? new Forwards(environment.kubeconfig) : undefined;
    this.tool = new Tool((words) => environment.lab?.command(words) ?? words);
  }

  async begin(): Promise<void> {
    await this.kube.create('namespaces', {metadata: {name: this.namespace, labels: {'quorumrecovery.io/e2e': 'case'}}});
  }

  /** Adds fresh nodes that only this case uses. In a cluster without a lab: its own nodes have to do. */
  async addNodes(count: number): Promise<string[]> {
    const {lab} = this.environment;
    if (lab === undefined) return [];
    const names = Array.from({length: count}, () => `${this.namespace}-${(this.#nodeCount += 1)}`);
    this.nodes.push(...names);
    await Promise.all(names.map((name) => lab.addNode(name, {labels: {case: this.namespace}})));
    return names;
  }

  get nodeSelector(): {nodeSelector?: Record<string, string>} {
    return this.environment.lab === undefined ? {} : {nodeSelector: {case: this.namespace}};
  }

  async certificates(): Promise<Certificates> {
    this.#certificates ??= await makeCertificates(this.namespace);
    return this.#certificates;
  }

  /** Creates an etcd and returns once all of its members are healthy, with `seedCount` keys in it. */
  async startEtcd(options: EtcdOptions = {}, seed = seedCount): Promise<void> {
    const full: EtcdOptions = {...this.nodeSelector, ...options};
    for (const service of etcdServices(this.namespace)) await this.kube.create('services', service);
    if (options.tlsSecret !== undefined) {
      const {server, client, stranger, peer} = await this.certificates();
      for (const secret of [server, client, stranger, ...(options.peerSecret === undefined ? [] : [peer])]) await this.kube.create('secrets', secret);
    }
    if (options.launch === 'config-file') await this.kube.create('configmaps', etcdConfigMap(this.namespace, full));
    await this.kube.create('statefulsets', etcdSet(this.namespace, full));
    await this.healthy(options.replicas ?? 3, 120);
    if (seed > 0) await this.tool.seed(await this.member(`${setName}-0`), seed);
    this.specBefore = JSON.stringify((await this.statefulSet()).spec);
  }

  /** Waits until that many members answer, agree on one leader, and are Ready. */
  async healthy(count: number, seconds = 90): Promise<void> {
    await until(`${count} healthy etcd members in ${this.namespace}`, async () => {
      const pods = (await this.pods()).filter((pod) => pod.status?.conditions?.some((condition) => condition.type === 'Ready' && condition.status === 'True'));
      if (pods.length < count) return new Missing(`only ${pods.map((pod) => pod.metadata?.name).join(', ') || 'no pod'} Ready`);
      const members = await this.members();
      const statuses = await Promise.all(members.map(async (member) => await this.tool.status(member)));
      const leaders = new Set(statuses.map((status) => status.leader));
      return statuses.length >= count && leaders.size === 1 && !leaders.has('') ? true : new Missing(`leaders ${[...leaders].join(', ')}`);
    }, {seconds});
  }

  async statefulSet(): Promise<V1StatefulSet> {
    const set = await this.kube.get('statefulsets', this.namespace, setName);
    if (set === undefined) throw new Error(`the StatefulSet ${setName} is gone`);
    return set;
  }

  /** The set's pods, in the order of their names. */
  async pods(): Promise<V1Pod[]> {
    const pods = await this.kube.list('pods', this.namespace, `app=${setName}`);
    return pods.sort((a, b) => ((a.metadata?.name ?? '') < (b.metadata?.name ?? '') ? -1 : 1));
  }

  async pod(name: string): Promise<V1Pod | undefined> {
    return await this.kube.get('pods', this.namespace, name);
  }

  async nodeOf(pod: string): Promise<string> {
    const node = (await this.pod(pod))?.spec?.nodeName;
    if (node === undefined) throw new Error(`${pod} has no node`);
    return node;
  }

  async #memberOf(pod: V1Pod): Promise<Member | undefined> {
    const {namespace} = this;
    const address = pod.status?.podIP;
    const running = pod.status?.containerStatuses?.some((status) => status.name === 'etcd' && status.state?.running !== undefined);
    if (address === undefined || !running) return undefined;
    const tls = this.#certificates?.tls;
    const {name = '', uid = ''} = pod.metadata ?? {};
    const place = await this.#forwards?.place({namespace, name, uid}, clientPort) ?? {address, port: clientPort};
    return {pod: name, ...place, ...(tls && {tls: {...tls, serverName: `${name}.${setName}.${this.namespace}.svc`}}), ...(this.user && {auth: this.user})};
  }

  /** Members whose etcd runs, as Kubernetes says. */
  async members(): Promise<Member[]> {
    const pods = await this.pods();
    return (await Promise.all(pods.map(async (pod) => await this.#memberOf(pod)))).filter((member) => member !== undefined);
  }

  async member(pod: string): Promise<Member> {
    const found = (await this.members()).find((member) => member.pod === pod);
    if (found === undefined) throw new Error(`${pod} does not run etcd`);
    return found;
  }

  async etcdStatus(pod: string): Promise<MemberStatus> {
    return await this.tool.status(await this.member(pod));
  }

  /** Writes one key after the other from now on, and records what is acknowledged; it follows the pods to their new addresses. */
  async startWriter(pauseMs?: number): Promise<void> {
    await this.tool.write(writerName, await this.members(), pauseMs);
    let busy = false;
    this.#targeting = setInterval(() => {
      if (busy) return;
      busy = true;
      void this.members().then(async (members) => { await this.tool.target(writerName, members); }).catch(() => undefined).finally(() => { busy = false; });
    }, 800);
  }

  async writerReport(): Promise<WriterReport> {
    return await this.tool.report(writerName);
  }

  async stopWriter(): Promise<WriterReport> {
    clearInterval(this.#targeting);
    return await this.tool.stop(writerName);
  }

  /** Takes everything away that this case made. */
  async end(): Promise<void> {
    clearInterval(this.#targeting);
    this.tool.end();
    this.#forwards?.close();
    const {lab} = this.environment;
    await this.kube.delete('namespaces', this.namespace, this.namespace);
    for (const volume of await this.kube.list('persistentvolumes')) {
      if (volume.spec?.claimRef?.namespace === this.namespace) await this.kube.delete('persistentvolumes', '', volume.metadata?.name ?? '');
    }
    if (lab === undefined) return;
    const there = lab.nodes().map((node) => node.name);
    await Promise.all(this.nodes.filter((name) => there.includes(name)).map(async (name) => {
      await lab.removeNode(name);
      await lab.deleteNode(name);
    }));
  }
}
