import type {V1DaemonSet, V1Deployment, V1Pod} from '@kubernetes/client-node';
import {marks} from '../../src/api/types.ts';
import type {QuorumRecovery, QuorumRecoveryStatus} from '../../src/api/types.ts';
import type {World} from './world.ts';

/** What uses the etcd of the scenario. */
export const dependents: NonNullable<QuorumRecovery['spec']['dependents']> = [{kind: 'Deployment', name: 'api'}, {kind: 'DaemonSet', name: 'agent'}];

/** Its pods are the model's own: no kubelet of an etcd looks at them. */
const scheduler = 'model';
export const isDependents = (pod: V1Pod): boolean => pod.spec?.schedulerName === scheduler;

const template = (app: string) => ({metadata: {labels: {app}}, spec: {schedulerName: scheduler, terminationGracePeriodSeconds: graceSeconds, containers: [{name: app}]}});
const firstCount = 3;
/** What a pod is given to stop, and what it takes, s. */
const graceSeconds = 60;
const stopSeconds = 30;
/** A writer that comes so shortly before the force cannot be seen in time, ms. */
const unseenMs = 60_000;
/** Writers give up after so many tries, so that a run ends. */
const fights = 4;

/** Two dependents, and somebody who starts them again: what they ask for, and who wrote that last. */
export class Dependents {
  readonly #world: World;
  readonly #fought: boolean;
  #fights = 0;
  /** The newest word of anybody but the operator. */
  #count = firstCount;
  #writtenAt = -Infinity;

  constructor(world: World, fought: boolean) {
    this.#world = world;
    this.#fought = fought;
    const meta = (name: string) => ({name, namespace: 'db'});
    world.store.create('Deployment', {metadata: meta('api'), spec: {replicas: firstCount, selector: {matchLabels: {app: 'api'}}, template: template('api')}});
    world.store.create('DaemonSet', {metadata: meta('agent'), spec: {selector: {matchLabels: {app: 'agent'}}, template: template('agent')}});
    world.parts.push(() => { this.#sync(); });
  }

  get #api(): V1Deployment | undefined {
    return this.#world.store.get('Deployment', 'db', 'api');
  }

  get #agent(): V1DaemonSet | undefined {
    return this.#world.store.get('DaemonSet', 'db', 'agent');
  }

  #pods(app: string): V1Pod[] {
    return this.#world.store.list('Pod', 'db').filter((pod) => pod.metadata?.labels?.['app'] === app);
  }

  #make(app: string, node: string): void {
    const {store, random} = this.#world;
    store.create('Pod', {metadata: {name: `${app}-${random.below(1_000_000_000)}`, namespace: 'db', labels: {app}}, spec: {...template(app).spec, nodeName: node}});
  }

  /** Both controllers and the kubelets' part in it. */
  #sync(): void {
    const {store, random} = this.#world;
    const nodes = store.list('Node').filter(({status}) => status?.conditions?.some(({type, status: is}) => type === 'Ready' && is === 'True')).map(({metadata}) => metadata?.name ?? '');
    const live = (app: string) => this.#pods(app).filter((pod) => pod.metadata?.deletionTimestamp === undefined && pod.status?.phase !== 'Failed');
    const wanted = this.#api?.spec?.replicas ?? 0;
    const api = live('api');
    for (const pod of api.slice(wanted)) store.delete('Pod', 'db', pod.metadata?.name ?? '');
    for (let missing = wanted - api.length; missing > 0 && nodes.length > 0; missing -= 1) this.#make('api', nodes[random.below(nodes.length)] ?? '');
    const everywhere = this.#agent?.spec?.template.spec?.nodeSelector?.[marks.stopped] === undefined ? nodes : [];
    const agents = live('agent');
    for (const pod of agents) if (!everywhere.includes(pod.spec?.nodeName ?? '')) store.delete('Pod', 'db', pod.metadata?.name ?? '');
    for (const node of everywhere) if (!agents.some((pod) => pod.spec?.nodeName === node)) this.#make('agent', node);
    this.#observe(everywhere.length);
    for (const pod of [...this.#pods('api'), ...this.#pods('agent')]) this.#kubelet(pod);
    if (this.#fought) this.#fight();
  }

  /** A status is written only where it says something else. */
  #observe(nodes: number): void {
    const {store} = this.#world;
    for (const {kind, name} of dependents) {
      const of = kind as 'Deployment' | 'DaemonSet';
      const object = store.get(of, 'db', name);
      const status = {observedGeneration: object?.metadata?.generation ?? 0, ...(of === 'DaemonSet' && {desiredNumberScheduled: nodes})};
      if (JSON.stringify(object?.status) !== JSON.stringify(status)) store.change(of, 'db', name, (draft) => { draft.status = status; });
    }
  }

  #kubelet(pod: V1Pod): void {
    const {store, machines, random, now} = this.#world;
    const machine = machines.get(pod.spec?.nodeName ?? '');
    if (machine?.alive !== true || !machine.connected || random.chance(0.3)) return;
    const name = pod.metadata?.name ?? '';
    const due = pod.metadata?.deletionTimestamp?.getTime();
    // They take their time: what did not wait for them finds them still there at the force.
    if (due !== undefined && now > due - (graceSeconds - stopSeconds) * 1_000) store.delete('Pod', 'db', name, {gracePeriodSeconds: 0});
    else if (due === undefined && pod.status?.phase !== 'Running') store.change('Pod', 'db', name, (draft) => { draft.status = {phase: 'Running', conditions: [{type: 'Ready', status: 'True'}]}; });
  }

  /** An autoscaler or a GitOps tool finds one of them stopped. */
  #fight(): void {
    const {store, random, now} = this.#world;
    if (this.#fights >= fights || !random.chance(0.05)) return;
    const stopped = this.#api?.spec?.replicas === 0;
    const kept = this.#agent?.spec?.template.spec?.nodeSelector?.[marks.stopped] !== undefined;
    if (!stopped && !kept) return;
    this.#fights += 1;
    this.#writtenAt = now;
    if (stopped) {
      this.#count = firstCount + random.below(3);
      store.change('Deployment', 'db', 'api', (draft) => { draft.spec = {...draft.spec, replicas: this.#count} as V1Deployment['spec'] & object; });
    } else {
      store.change('DaemonSet', 'db', 'agent', (draft) => { draft.spec = {selector: {}, ...draft.spec, template: template('agent')}; });
    }
  }

  /** While etcd is forced none of them runs on a node that can be asked. */
  whileForced(): string | undefined {
    const {machines, now} = this.#world;
    if (now - this.#writtenAt < unseenMs) return undefined;
    const running = [...this.#pods('api'), ...this.#pods('agent')].filter((pod) => pod.status?.phase !== 'Failed' && machines.get(pod.spec?.nodeName ?? '')?.connected === true);
    return running.length === 0 ? undefined : `${running.map(({metadata}) => metadata?.name ?? '').join(', ')} runs while etcd is forced`;
  }

  /** What is missing of what they had, once no run is in flight. */
  atEnd(): string | undefined {
    const replicas = this.#api?.spec?.replicas;
    if (replicas !== this.#count) return `Deployment api is left with ${replicas ?? 'no'} replicas, and had ${this.#count}`;
    const stopper = this.#agent?.spec?.template.spec?.nodeSelector?.[marks.stopped];
    return stopper === undefined ? undefined : `DaemonSet agent is left stopped by ${stopper}`;
  }
}

/** Invariant 1 for them: before its spec is written it stands in the status what it had, and what is done. */
export function intendedFor({run}: QuorumRecoveryStatus, kind: string, name: string): string | undefined {
  const record = run?.dependents?.find((one) => kind.startsWith(one.kind) && one.name === name);
  if (record === undefined) return `${kind} ${name} is written, and the status has no record of what it had`;
  return record.state === 'Stopping' || record.state === 'Returning' ? undefined : `${kind} ${name} is written in state ${record.state}`;
}
