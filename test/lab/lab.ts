import {existsSync, readFileSync, readlinkSync, rmSync, writeFileSync} from 'node:fs';
import {setTimeout as delay} from 'node:timers/promises';
import type {V1Node} from '@kubernetes/client-node';
import {askAPIServer} from './api.ts';
import {withLock} from './lock.ts';
import {apiPartyName, partitionRules, pairsBetween} from './network.ts';
import type {Party} from './network.ts';
import {liveState, runInLab, runInNode, withLabNetwork} from './inside.ts';
import {createNode, endNode, findNode, importIntoNodes, lastLogLines, restartKubelet, startNode, wipeNode} from './nodes.ts';
import {LabPaths} from './paths.ts';
import {kill, processesWhere} from './processes.ts';
import {run, waitFor} from './shell.ts';
import {startLab} from './start.ts';
import {readLiveState, readNodes} from './state.ts';
import {removeRemains} from './remains.ts';
import {prepareLab} from './prepare.ts';

export interface LabOptions {
  /** Several labs can stand side by side. Default: lab. */
  name?: string;
  /** How many nodes, n1 to nN. Default: 5. */
  nodes?: number;
  /** More images (OCI or docker archives, or OCI image layouts) that every node has from its start. */
  images?: readonly string[];
  /** Told in one line what takes time. */
  say?: (line: string) => void;
}

export interface LabNode {
  name: string;
  running: boolean;
  /** What the node's /etc/machine-id says, and status.nodeInfo.machineID of its Node. */
  machineID: string;
}

/** A real Kubernetes cluster on this machine. Every method can be called from any process; what there is to know is on disk. */
export class Lab {
  readonly #paths: LabPaths;

  private constructor(paths: LabPaths) {
    this.#paths = paths;
  }

  /** Starts a lab and returns once its nodes are Ready. What a dead one of the same name left behind is removed first. */
  static async up(options: LabOptions = {}): Promise<Lab> {
    const {name = 'lab', nodes = 5, images = [], say = (): void => undefined} = options;
    const paths = new LabPaths(name);
    if (readLiveState(paths) !== undefined) throw new Error(`a lab named ${name} runs already; end it first, or take another name`);
    const prepared = await prepareLab(images, say);
    await removeRemains(paths);
    await startLab(paths, prepared, say);
    const lab = new Lab(paths);
    await Promise.all(nodeNames(nodes).map((node) => lab.addNode(node)));
    return lab;
  }

  /** The lab of that name, which has to run. */
  static attach(name = 'lab'): Lab {
    const paths = new LabPaths(name);
    liveState(paths);
    return new Lab(paths);
  }

  get name(): string {
    return this.#paths.name;
  }

  /** For processes outside of the lab: the API server through a forwarder on loopback. Pods cannot be reached. */
  get kubeconfig(): string {
    return this.#paths.kubeconfig;
  }

  /** For processes with the lab's network, such as those started with `command`. */
  get insideKubeconfig(): string {
    return this.#paths.insideKubeconfig;
  }

  /** A directory with kubectl and helm. */
  get bin(): string {
    return this.#paths.bin;
  }

  /** The API server's address for processes outside of the lab. */
  get server(): string {
    return `https://127.0.0.1:${liveState(this.#paths).port}`;
  }

  nodes(): LabNode[] {
    return readNodes(this.#paths).map(({name, machineID, pid}) => ({name, machineID, running: pid !== undefined}));
  }

  /** Adds a node and returns once it is Ready. */
  async addNode(name: string, options: {labels?: Record<string, string>} = {}): Promise<void> {
    await createNode(this.#paths, name, options.labels ?? {});
    await this.startNode(name);
  }

  /** The sudden end of a node: every process and its link. Its disks stay, but nobody serves them; its Node object stays too. */
  async endNode(name: string): Promise<void> {
    await endNode(this.#paths, name);
  }

  /** Starts an ended node again, with its disks and machine ID, and returns once it is Ready. */
  async startNode(name: string): Promise<void> {
    const startedAt = Date.now();
    await startNode(this.#paths, name);
    await this.#ready(name, startedAt);
  }

  /** Ends a node and destroys its disks. Its Node object stays: `deleteNode` removes that. */
  async removeNode(name: string): Promise<void> {
    if (findNode(this.#paths, name).pid !== undefined) await endNode(this.#paths, name);
    await wipeNode(this.#paths, name);
  }

  /** Deletes the Node object, as a cloud's controller or an administrator does for a machine that is gone. */
  async deleteNode(name: string): Promise<void> {
    await askAPIServer(this.#paths, 'DELETE', `/api/v1/nodes/${name}`);
  }

  /** Kills a node's kubelet, which is started again at once; its pods go on. A deleted Node comes back by it. */
  async restartKubelet(name: string): Promise<void> {
    await restartKubelet(this.#paths, name);
  }

  /** Runs a bash script on a running node: its mounts, its processes, the machine's programs. */
  async onNode(name: string, script: string): Promise<string> {
    return await runInNode(this.#paths, findNode(this.#paths, name), script);
  }

  /** Where the local volumes of a node are on this machine, also while it is ended. */
  disk(name: string): string {
    return this.#paths.node(findNode(this.#paths, name).name, 'volumes');
  }

  /** Stops the processes of the API server where they are, for that long, as a machine that hangs does. */
  async stallAPIServer(ms: number): Promise<void> {
    const namespace = (pid: number | string) => readlinkSync(`/proc/${pid}/ns/pid`);
    const own = namespace(liveState(this.#paths).init.pid);
    const found = processesWhere((pid, words) => words.includes('kube-apiserver') && namespace(pid) === own);
    if (found.length === 0) throw new Error(`no API server runs in the lab ${this.name}`);
    for (const pid of found) process.kill(pid, 'SIGSTOP');
    try {
      await delay(ms);
    } finally {
      for (const pid of found) process.kill(pid, 'SIGCONT');
    }
  }

  /**
   * Drops every packet between the nodes of the one set and those of the other; `api` stands for the API server. Replaces what the same
   * `owner` partitioned before, and leaves what others did.
   */
  async partition(first: readonly string[], second: readonly string[], owner = 'lab'): Promise<void> {
    const party = (name: string): Party => (name === apiPartyName ? name : findNode(this.#paths, name).index);
    const pairs = pairsBetween(first.map(party), second.map(party));
    await this.#cut((partitions) => ({...partitions, [owner]: pairs}));
  }

  /** Takes the partition of this owner back; without one: all of them. */
  async heal(owner?: string): Promise<void> {
    await this.#cut((partitions) => Object.fromEntries(Object.entries(partitions).filter(([name]) => owner !== undefined && name !== owner)));
  }

  /** Loads an image (an OCI or docker archive, or an OCI image layout) into every node, and into those that are added later. */
  async importImage(image: string): Promise<void> {
    await importIntoNodes(this.#paths, image);
  }

  /** Runs kubectl against the lab and returns what it prints. */
  async kubectl(args: readonly string[], input?: string): Promise<string> {
    return await run(`${this.bin}/kubectl`, ['--kubeconfig', this.kubeconfig, ...args], input === undefined ? {} : {input});
  }

  /** The words to put before a command so that it runs with the lab's network, names and KUBECONFIG; for child_process.spawn. */
  command(words: readonly string[]): string[] {
    return [...withLabNetwork(this.#paths), ...words];
  }

  /** Ends the lab and removes everything of it. */
  async down(): Promise<void> {
    const state = readLiveState(this.#paths);
    if (state !== undefined) {
      kill(state.init);
      await waitFor('the end of the lab', 30, () => Promise.resolve(readLiveState(this.#paths) === undefined ? true : undefined));
    }
    await removeRemains(this.#paths);
  }

  /** Partitions of several owners stand beside one another, and each process that makes one knows of the others' by this file only. */
  async #cut(change: (partitions: Record<string, [Party, Party][]>) => Record<string, [Party, Party][]>): Promise<void> {
    const file = this.#paths.at('partitions.json');
    await withLock(`${file}.lock`, async () => {
      const after = change(existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) as Record<string, [Party, Party][]> : {});
      writeFileSync(file, JSON.stringify(after));
      await runInLab(this.#paths, 'iptables-restore --noflush', partitionRules(Object.values(after).flat()));
    });
  }

  /** Waits for a Ready condition that was reported after `since` (milliseconds of the clock). */
  async #ready(name: string, since: number): Promise<void> {
    await waitFor(`Ready of node ${name}`, 90, async () => {
      const node = await askAPIServer(this.#paths, 'GET', `/api/v1/nodes/${name}`) as V1Node | undefined;
      const ready = node?.status?.conditions?.find((condition) => condition.type === 'Ready');
      // Heartbeats are written in whole seconds.
      return ready?.status === 'True' && Date.parse(String(ready.lastHeartbeatTime)) >= since - 1000 ? true : undefined;
    }, 300).catch((error: unknown) => {
      throw new Error(`${error instanceof Error ? error.message : String(error)}\n${lastLogLines(this.#paths, name)}`, {cause: error});
    });
  }
}

/** The names that a lab's first nodes have: n1, n2 and so on. */
export function nodeNames(count: number): string[] {
  return Array.from({length: count}, (_, index) => `n${index + 1}`);
}

/** Ends the lab of that name, however dead it is, and removes everything of it. */
export async function endLab(name: string): Promise<void> {
  const paths = new LabPaths(name);
  if (readLiveState(paths) !== undefined) await Lab.attach(name).down();
  else await removeRemains(paths);
  rmSync(paths.root, {recursive: true, force: true});
}
