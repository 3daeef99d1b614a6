import type {V1Pod} from '@kubernetes/client-node';
import {marks} from '../../src/api/types.ts';
import type {QuorumRecovery} from '../../src/api/types.ts';
import type {Process} from './etcd.ts';
import type {World} from './world.ts';

/** What happens to a run from outside, at any moment of it. */
export const acts = [
  /** The resource. */
  'pause', 'resume', 'choose a survivor', 'choose none', 'delete the resource', 'make it again',
  /** Pods that the operator made, or holds. */
  'delete a held pod', 'delete a helper', 'delete a pod by force',
  /** Processes: the forced etcd is killed, or its container started once more; the survivor's own; an agent between marker and tail. */
  'kill the forced etcd', 'start the forced etcd again', 'kill the survivor', 'end the next agent',
  /** No room for a copy on any disk, and room again. */
  'fill the disks', 'make room',
] as const;
/** Not among those that are drawn at random: the quorum may be lost for good with a node, and a joiner may be on the survivor's when the end is told beforehand. */
export type Act = (typeof acts)[number] | 'lose another node' | 'delete the survivor by force';

/** Faults that a run has to get over by itself, with the same end. */
export const mended: readonly Act[] = ['delete a held pod', 'delete a helper', 'kill the forced etcd', 'start the forced etcd again', 'kill the survivor', 'end the next agent'];

export class People {
  readonly #world: World;
  readonly #resource: () => QuorumRecovery;

  /** @param resource what is applied when it is made again */
  constructor(world: World, resource: () => QuorumRecovery) {
    this.#world = world;
    this.#resource = resource;
  }

  perform(act: Act): void {
    const {random, disks} = this.#world;
    switch (act) {
      case 'pause': this.#change({paused: true}); break;
      case 'resume': this.#change({paused: false}); break;
      case 'choose a survivor': {
        const names = this.#pods((pod) => pod.metadata?.labels?.['app'] === 'etcd').map((pod) => pod.metadata?.name ?? '');
        const pod = names[random.below(names.length)];
        // The API server refuses it for a replacement, which starts from nobody.
        const replaces = this.#world.store.get('QuorumRecovery', 'db', 'etcd')?.spec.strategy === 'ReplaceMembers';
        if (pod !== undefined && !replaces) this.#change({survivor: {pod}});
        break;
      }
      case 'choose none': this.#change({survivor: undefined}); break;
      case 'delete the resource': this.#world.store.delete('QuorumRecovery', 'db', 'etcd'); break;
      case 'make it again':
        if (this.#world.store.get('QuorumRecovery', 'db', 'etcd') === undefined) this.#world.store.create('QuorumRecovery', this.#resource());
        break;
      case 'delete a held pod': this.#delete((pod) => (pod.spec?.schedulingGates ?? []).length > 0); break;
      case 'delete a helper': this.#delete((pod) => pod.metadata?.annotations?.[marks.step] !== undefined); break;
      // Not the one member of the new cluster: a joiner may take its node, which it gives back later.
      case 'delete a pod by force': this.#delete((pod) => pod.metadata?.labels?.['app'] === 'etcd' && (!this.#forced || pod.metadata.name !== this.#survivor), 0); break;
      case 'delete the survivor by force': this.#delete((pod) => pod.metadata?.name === this.#survivor, 0); break;
      case 'kill the forced etcd': this.#each((process) => process.helper, (process) => { this.#world.machines.get(process.node)?.kubelet.crash(process); }); break;
      case 'start the forced etcd again': this.#each((process) => process.helper, (process) => { this.#world.machines.get(process.node)?.kubelet.startAgain(process); }); break;
      case 'kill the survivor': this.#each((process) => !process.helper && process.ordinal === this.#survivor, (process) => { this.#world.machines.get(process.node)?.kubelet.crash(process); }); break;
      case 'end the next agent': this.#world.agentsThatEnd = 1; break;
      case 'lose another node': {
        const [process] = [...this.#world.etcd.processes].filter(({helper, node}) => !helper && this.#world.machines.get(node)?.connected === true);
        if (process === undefined) break;
        this.#world.destroyMachine(process.node);
        this.#world.deleteNode(process.node);
        break;
      }
      case 'fill the disks': for (const disk of disks.values()) disk.full = true; break;
      case 'make room': for (const disk of disks.values()) disk.full = false; break;
    }
  }

  /** Somebody reads the plan, and approves it by its hash. */
  approve(hash: string): void {
    this.#change({approvedPlan: hash});
  }

  get #survivor(): string | undefined {
    return this.#world.store.get('QuorumRecovery', 'db', 'etcd')?.status?.run?.plan?.survivor;
  }

  get #forced(): boolean {
    return this.#world.store.get('QuorumRecovery', 'db', 'etcd')?.status?.run?.force !== undefined;
  }

  #change(spec: {[K in keyof QuorumRecovery['spec']]?: QuorumRecovery['spec'][K] | undefined}): void {
    if (this.#world.store.get('QuorumRecovery', 'db', 'etcd') === undefined) return;
    this.#world.store.change('QuorumRecovery', 'db', 'etcd', (draft) => { draft.spec = {...draft.spec, ...spec} as QuorumRecovery['spec']; });
  }

  #pods(which: (pod: V1Pod) => boolean): V1Pod[] {
    return this.#world.store.list('Pod', 'db').filter(which);
  }

  #delete(which: (pod: V1Pod) => boolean, gracePeriodSeconds?: number): void {
    const pods = this.#pods(which);
    const pod = pods[this.#world.random.below(pods.length)];
    if (pod && gracePeriodSeconds === 0) this.#world.pulled.add(pod.metadata?.uid ?? '');
    if (pod) this.#world.store.delete('Pod', 'db', pod.metadata?.name ?? '', gracePeriodSeconds === undefined ? {} : {gracePeriodSeconds});
  }

  #each(which: (process: Process) => boolean, act: (process: Process) => void): void {
    for (const process of [...this.#world.etcd.processes].filter(which)) {
      if (this.#world.machines.get(process.node)?.connected === true) act(process);
    }
  }
}
