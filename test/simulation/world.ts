import type {V1Pod} from '@kubernetes/client-node';
import type {Arguments} from '../../src/agent/arguments.ts';
import {marks} from '../../src/api/types.ts';
import type {QuorumRecovery} from '../../src/api/types.ts';
import {collectOrphans, collectPods, newSetSync, protectClaims, schedule, syncStatefulSet, watchNodes} from './controllers.ts';
import type {SetSync} from './controllers.ts';
import {Etcd} from './etcd.ts';
import type {Process} from './etcd.ts';
import type {Disk} from './etcd-data.ts';
import {Kubelet} from './kubelet.ts';
import {Random} from './random.ts';
import type {StoredSnapshot} from './snapshots.ts';
import type {Kind} from '../../src/kubernetes/kinds.ts';
import {refuse, Store} from './store.ts';
import type {Stored} from './store.ts';

export interface Machine {
  alive: boolean;
  /** The control plane and the other nodes hear it. */
  connected: boolean;
  kubelet: Kubelet;
}

export interface WorldOptions {
  seed: number;
  /** A liveness probe that ends an etcd without a leader. */
  liveness: boolean;
  /** How long the admission policy lags behind the status, ms; Infinity: it is not there. */
  policyLagMs: number;
}

/** A cluster in memory with a clock of its own. Only `tick` lets time pass. */
export class World {
  readonly namespace = 'db';
  readonly random: Random;
  readonly store: Store;
  readonly etcd: Etcd;
  readonly disks = new Map<string, Disk>();
  readonly machines = new Map<string, Machine>();
  readonly nodeGoneAt = new Map<string, number>();
  readonly notReadySince = new Map<string, number>();
  /** By the UID of the StatefulSet. */
  readonly setSyncs = new Map<string, SetSync>();
  readonly liveness: boolean;
  canProvision = true;
  /** A readiness probe that asks for a leader. */
  readyWithQuorum = false;
  /** UIDs of pods that a person deleted by force: what Kubernetes promises of at most one is gone with them, and only etcd's own lock is left. */
  readonly pulled = new Set<string>();
  /** So many agents are ended between the marker and the tail. */
  agentsThatEnd = 0;
  now = Date.UTC(2026, 0, 1);
  /** What else does its part in each tick. */
  readonly parts: (() => void)[] = [];
  /** What is in the store of snapshots. */
  snapshot: StoredSnapshot | undefined;
  /** What is in the file of the claim with a dump. */
  dump: Map<string, string> | undefined;
  onAgent: (args: Arguments, disk: Disk, pod: V1Pod) => void = () => undefined;
  readonly #policyLagMs: number;
  /** What the policy's informer has of each resource, and since when the newest waits. */
  #policyView: {since: number; resource: QuorumRecovery}[] = [];

  constructor({seed, liveness, policyLagMs}: WorldOptions) {
    this.random = new Random(seed);
    this.liveness = liveness;
    this.#policyLagMs = policyLagMs;
    this.store = new Store(() => this.now);
    this.etcd = new Etcd(this.random, () => this.now, (node) => this.machines.get(node)?.connected === false);
    this.etcd.onPanic = (process) => { this.machines.get(process.node)?.kubelet.panicked(process); };
    this.store.onChange(({kind, object}) => {
      this.#wakeController(kind, object);
      if (kind === 'QuorumRecovery') this.#policyView.push({since: this.now, resource: object as QuorumRecovery});
    });
  }

  #wakeController(kind: Kind, {metadata}: Stored): void {
    if (kind !== 'Pod' && kind !== 'StatefulSet') return;
    const uid = kind === 'StatefulSet' ? metadata?.uid : metadata?.ownerReferences?.find((owner) => owner.controller === true)?.uid;
    const sync = this.setSyncs.get(uid ?? '');
    if (sync) sync.changed = true;
    else if (kind === 'StatefulSet') this.setSyncs.set(uid ?? '', newSetSync());
  }

  addNode(name: string): void {
    this.machines.set(name, {alive: true, connected: true, kubelet: new Kubelet(this, name)});
    this.registerNode(name);
  }

  registerNode(name: string): void {
    this.store.create('Node', {
      apiVersion: 'v1', kind: 'Node', metadata: {name, labels: {'kubernetes.io/hostname': name}}, spec: {},
      status: {conditions: [{type: 'Ready', status: 'True'}], nodeInfo: {machineID: `machine-${name}`, systemUUID: `system-${name}`} as never},
    });
  }

  /** The machine ends for good: its processes, its disks. */
  destroyMachine(name: string): void {
    const machine = this.machines.get(name);
    if (machine === undefined) return;
    machine.alive = false;
    machine.connected = false;
    machine.kubelet.die();
    for (const disk of this.disks.values()) if (disk.node === name) disk.destroyed = true;
  }

  disconnect(name: string): void {
    const machine = this.machines.get(name);
    if (machine) machine.connected = false;
  }

  reconnect(name: string): void {
    const machine = this.machines.get(name);
    if (machine?.alive) machine.connected = true;
  }

  deleteNode(name: string): void {
    this.store.delete('Node', undefined, name);
    this.nodeGoneAt.set(name, this.now);
  }

  makeVolume(name: string, node: string | undefined, claim: string): void {
    this.store.create('PersistentVolume', {
      apiVersion: 'v1', kind: 'PersistentVolume', metadata: {name},
      spec: {
        persistentVolumeReclaimPolicy: 'Delete', claimRef: {name: claim, namespace: this.namespace},
        ...(node !== undefined && {nodeAffinity: {required: {nodeSelectorTerms: [{matchExpressions: [{key: 'kubernetes.io/hostname', operator: 'In', values: [node]}]}]}}}),
      },
    });
  }

  /** CREATE of a pod with admission: the policy of the chart (src/generate/policy.ts), as its informer sees the resource. */
  admit(pod: V1Pod, dryRun = false): V1Pod {
    const denial = this.#denial(pod);
    const name = pod.metadata?.name ?? '';
    if (denial !== undefined) {
      throw refuse('create', 'Pod', name, 403, 'Forbidden',
        `pods "${name}" is forbidden: ValidatingAdmissionPolicy 'quorumrecovery-hold' with binding 'quorumrecovery-hold' denied request: ${denial}`);
    }
    return this.store.create('Pod', pod, dryRun);
  }

  #denial(pod: V1Pod): string | undefined {
    if (!pod.metadata?.ownerReferences?.some((owner) => owner.kind === 'StatefulSet' && owner.controller)) return undefined;
    const seen = this.#policyView.filter((view) => this.now - view.since >= this.#policyLagMs).at(-1)?.resource;
    if (!seen?.status?.heldPods?.includes(pod.metadata.name ?? '')) return undefined;
    const run = seen.status.run?.id;
    if (run !== undefined && pod.metadata.annotations?.[marks.run] === run) return undefined;
    const resource = seen.metadata.name ?? '';
    return `held by QuorumRecovery ${resource} during a recovery run: the pod starts when its turn comes (kubectl get qr ${resource})`;
  }

  /** Lets some time pass: every part of the cluster does, in any order, what it would do by then. */
  tick(ms: number): void {
    this.now += ms;
    const keep = this.#policyView.findLastIndex((view) => this.now - view.since >= this.#policyLagMs);
    if (keep > 0) this.#policyView = this.#policyView.slice(keep);
    const parts: (() => void)[] = [
      () => { syncStatefulSet(this); }, () => { schedule(this); }, () => { protectClaims(this); }, () => { collectPods(this); },
      () => { watchNodes(this); }, () => { collectOrphans(this); }, () => { this.etcd.tick(); },
      ...this.parts,
      ...[...this.machines.values()].filter((machine) => machine.alive && machine.connected).map((machine) => () => { machine.kubelet.tick(); }),
    ];
    for (const part of this.random.shuffled(parts)) if (this.random.chance(0.85)) part();
  }

  /** The etcd process in the pod with this address, if it can be reached. */
  processAt(address: string): Process | undefined {
    return [...this.etcd.processes].find((process) => `ip-${process.podUID}` === address && this.machines.get(process.node)?.connected === true);
  }
}
