import type {V1Container, V1ContainerStatus, V1Pod} from '@kubernetes/client-node';
import {readLaunch} from '../../src/etcd/launch/launch.ts';
import {etcdutlContainer} from '../../src/kubernetes/etcdutlPod.ts';
import {marks} from '../../src/api/types.ts';
import {runAgent} from './agent.ts';
import {isSaver, saveSnapshot} from './backups.ts';
import {isDependents} from './dependents.ts';
import {runDumpAgent, usesDump} from './dumps.ts';
import {Ended} from './agent-force.ts';
import {StartFailed} from './etcd.ts';
import {fetchReport, restored} from './snapshots.ts';
import {clone} from './store.ts';
import type {Process} from './etcd.ts';
import type {Disk} from './etcd-data.ts';
import type {World} from './world.ts';

/** What one node's kubelet keeps of one pod. */
interface Sandbox {
  pod: V1Pod;
  statuses: V1ContainerStatus[];
  process: Process | undefined;
  /** Index of the container that is next, init containers first. */
  next: number;
  retryAt: number;
  stopAt: number | undefined;
  over: boolean;
  /** What was reported last, and from which parts: whether there is anything new is asked in every tick. */
  reported: {status: V1Pod['status']; parts: unknown[]} | undefined;
}

const agentName = 'volume-agent';
const storeVolume = 'quorumrecovery-store';

/** One kubelet: starts containers in order, reports, stops what is deleted. While it is cut off it does and says nothing; its processes run on. */
export class Kubelet {
  readonly #world: World;
  readonly #node: string;
  readonly #sandboxes = new Map<string, Sandbox>();

  constructor(world: World, node: string) {
    this.#world = world;
    this.#node = node;
  }

  /** The machine ends, and everything on it. */
  die(): void {
    for (const sandbox of this.#sandboxes.values()) this.#kill(sandbox);
    this.#sandboxes.clear();
  }

  panicked(process: Process): void {
    for (const sandbox of this.#sandboxes.values()) if (sandbox.process === process) this.#exited(sandbox, 'Error', 2);
  }

  /** The kernel, or somebody, ends the etcd in a pod; the container is started again if the pod says so. */
  crash(process: Process): void {
    this.#world.etcd.stop(process);
    for (const sandbox of this.#sandboxes.values()) if (sandbox.process === process) this.#exited(sandbox, 'OOMKilled', 137);
  }

  /** What a kubelet may do with a container of unknown state, whatever the pod says: it starts it once more. */
  startAgain(process: Process): void {
    const sandbox = [...this.#sandboxes.values()].find((one) => one.process === process);
    const container = sandbox?.pod.spec?.containers[0];
    if (sandbox === undefined || container === undefined) return;
    this.#world.etcd.stop(process);
    sandbox.process = undefined;
    this.#etcd(sandbox, container);
  }

  tick(): void {
    const {store, namespace, random} = this.#world;
    const mine = store.list('Pod', namespace).filter((pod) => pod.spec?.nodeName === this.#node && !isDependents(pod));
    for (const [uid, sandbox] of this.#sandboxes) {
      if (mine.some((pod) => pod.metadata?.uid === uid)) continue;
      // Its object was deleted by force: the containers are ended, but not at once.
      if (random.chance(0.5)) continue;
      this.#kill(sandbox);
      this.#sandboxes.delete(uid);
    }
    for (const pod of mine) if (random.chance(0.8)) this.#sync(pod);
  }

  #sync(pod: V1Pod): void {
    const uid = pod.metadata?.uid ?? '';
    const known = this.#sandboxes.get(uid);
    if (pod.metadata?.deletionTimestamp !== undefined) {
      this.#terminate(pod, known);
      return;
    }
    const sandbox = known ?? this.#admit(pod);
    sandbox.pod = pod;
    if (sandbox.over) {
      this.#report(sandbox);
      return;
    }
    if (this.#starts(pod)) this.#proceed(sandbox);
    this.#probe(sandbox);
    this.#report(sandbox);
  }

  #admit(pod: V1Pod): Sandbox {
    const waiting = (container: V1Container): V1ContainerStatus =>
      ({name: container.name, image: container.image ?? '', imageID: '', ready: false, restartCount: 0, state: {waiting: {reason: 'PodInitializing'}}});
    const sandbox: Sandbox = {
      pod, statuses: [...(pod.spec?.initContainers ?? []), ...(pod.spec?.containers ?? [])].map(waiting),
      process: undefined, next: 0, retryAt: 0, stopAt: undefined, over: false, reported: undefined,
    };
    this.#sandboxes.set(pod.metadata?.uid ?? '', sandbox);
    return sandbox;
  }

  /** Its volumes are there. */
  #starts(pod: V1Pod): boolean {
    const uses = pod.spec?.volumes?.some(({name, persistentVolumeClaim}) => persistentVolumeClaim !== undefined && name !== storeVolume) === true;
    return isSaver(pod) || usesDump(pod) || !uses || this.#diskOf(pod) !== undefined;
  }

  #diskOf(pod: V1Pod): Disk | undefined {
    const claim = pod.spec?.volumes?.find((volume) => volume.persistentVolumeClaim !== undefined && volume.name !== storeVolume)?.persistentVolumeClaim?.claimName;
    const volume = claim === undefined ? undefined : this.#world.store.get('PersistentVolumeClaim', this.#world.namespace, claim)?.spec?.volumeName;
    const disk = volume === undefined ? undefined : this.#world.disks.get(volume);
    return disk?.destroyed === false && (disk.node === undefined || disk.node === this.#node) ? disk : undefined;
  }

  #proceed(sandbox: Sandbox): void {
    const {pod} = sandbox;
    const containers = [...(pod.spec?.initContainers ?? []), ...(pod.spec?.containers ?? [])];
    const container = containers[sandbox.next];
    if (container === undefined || this.#world.now < sandbox.retryAt || sandbox.process !== undefined) return;
    if (container.args?.[0]?.startsWith('dump-') === true) this.#dump(sandbox, container);
    else if (container.args?.[0] === 'store-fetch') this.#fetch(sandbox, container);
    else if (container.name === agentName || container.name === 'prepare') this.#agent(sandbox, container);
    else if (container.name === etcdutlContainer && container.command?.includes('restore') === true) this.#restore(sandbox, container);
    else if (container.name === etcdutlContainer) this.#etcdutl(sandbox);
    else if (container.name === 'check') this.#checked(sandbox);
    else this.#etcd(sandbox, container);
  }

  #agent(sandbox: Sandbox, container: V1Container): void {
    const {pod} = sandbox;
    if (isSaver(pod)) {
      const report = saveSnapshot(this.#world, container.args ?? []);
      this.#ended(sandbox, report.ok ? 'Completed' : 'Error', report.ok ? 0 : 1, JSON.stringify(report));
      sandbox.over = true;
      return;
    }
    const disk = this.#diskOf(pod);
    if (disk === undefined) return;
    const words = (container.args ?? []).map((word) => word.replaceAll('$(QUORUMRECOVERY_POD_UID)', pod.metadata?.uid ?? ''));
    const turn = pod.metadata?.annotations?.[marks.turn];
    if (words.includes('--turn') && turn === undefined) {
      this.#waits(sandbox);
      return;
    }
    const at = words.indexOf('--turn');
    const args = at < 0 ? words : [...words.slice(0, at), ...words.slice(at + 2), ...(words[0] === 'prepare-join' ? ['--member', turn ?? ''] : [])];
    const users = [...this.#world.etcd.processes].filter((process) => process.disk === disk);
    const use = {inUse: users.length > 0, serves: users.some((process) => process.serving), stored: this.#world.snapshot};
    let ran: ReturnType<typeof runAgent>;
    try {
      ran = runAgent(args, disk, use, () => (this.#world.agentsThatEnd -= 1) >= 0);
    } catch (error) {
      if (!(error instanceof Ended)) throw error;
      this.#exited(sandbox, 'OOMKilled', 137);
      return;
    }
    const {report, args: parsed} = ran;
    if (parsed) this.#world.onAgent(parsed, disk, pod);
    this.#ended(sandbox, report.ok ? 'Completed' : 'Error', report.ok ? 0 : 1, JSON.stringify(report));
    if (report.ok) {
      sandbox.next += 1;
      sandbox.over = sandbox.next >= sandbox.statuses.length;
    } else if (pod.spec?.restartPolicy === 'Never') {
      sandbox.over = true;
    } else {
      this.#backOff(sandbox);
    }
  }

  /** The agent on a dump, which may be ended in the middle of its load. */
  #dump(sandbox: Sandbox, container: V1Container): void {
    const report = runDumpAgent(this.#world, container.args ?? [], () => (this.#world.agentsThatEnd -= 1) >= 0);
    if (report === 'ended') this.#exited(sandbox, 'OOMKilled', 137);
    else this.#ended(sandbox, report.ok ? 'Completed' : 'Error', report.ok ? 0 : 1, JSON.stringify(report));
    sandbox.over = true;
  }

  /** The agent at the store: it finds the snapshot, or none. */
  #fetch(sandbox: Sandbox, container: V1Container): void {
    const report = fetchReport(this.#world.snapshot, container.args ?? []);
    this.#ended(sandbox, report.ok ? 'Completed' : 'Error', report.ok ? 0 : 1, JSON.stringify(report));
    sandbox.next += 1;
    sandbox.over = !report.ok || sandbox.next >= sandbox.statuses.length;
  }

  /** etcdutl builds the data of one member beside what is there. */
  #restore(sandbox: Sandbox, {command = []}: V1Container): void {
    const disk = this.#diskOf(sandbox.pod);
    const own = command.some((word) => word.endsWith('/survivor.db'));
    const snapshot = own ? disk?.own?.get(sandbox.pod.metadata?.annotations?.[marks.run] ?? '') : this.#world.snapshot;
    if (disk === undefined || snapshot === undefined) return;
    disk.built = restored(snapshot, command);
    this.#ended(sandbox, 'Completed', 0, '');
    sandbox.next += 1;
  }

  /** It ends well or, where the image has none, is never started. */
  #etcdutl(sandbox: Sandbox): void {
    const there = this.#world.random.chance(0.9);
    this.#ended(sandbox, there ? 'Completed' : 'StartError', there ? 0 : 128, '');
    sandbox.next += 1;
    sandbox.over = sandbox.next >= sandbox.statuses.length;
  }

  /** etcdutl finds nothing wrong with the snapshot that is restored next. */
  #checked(sandbox: Sandbox): void {
    this.#ended(sandbox, 'Completed', 0, '');
    sandbox.next += 1;
  }

  #waits(sandbox: Sandbox): void {
    const status = sandbox.statuses[sandbox.next];
    if (status?.state?.running === undefined && status) Object.assign(status, {containerID: `containerd://${sandbox.pod.metadata?.uid ?? ''}`, state: {running: {startedAt: sandbox.pod.metadata?.creationTimestamp}}});
  }

  #etcd(sandbox: Sandbox, container: V1Container): void {
    const {pod} = sandbox;
    const disk = this.#diskOf(pod);
    if (disk === undefined) return;
    const launch = readLaunch({
      template: {...(pod.metadata && {metadata: {labels: pod.metadata.labels ?? {}, annotations: pod.metadata.annotations ?? {}}}), ...(pod.spec && {spec: pod.spec})},
      container: container.name, podName: pod.metadata?.name ?? '', namespace: pod.metadata?.namespace ?? '', configMaps: () => undefined,
    });
    if (!launch.ok) throw new Error(launch.message);
    const {name, initialCluster, initialClusterState, initialClusterToken, initialAdvertisePeerURLs, forceNewCluster} = launch.launch;
    const works = pod.metadata?.annotations?.[marks.pod];
    if ([...this.#world.etcd.processes].some((other) => other.disk === disk && this.#world.pulled.has(other.podUID))) {
      this.#exited(sandbox, 'Error', 1, 'another etcd holds the lock of the database');
      return;
    }
    try {
      sandbox.process = this.#world.etcd.start({
        podUID: pod.metadata?.uid ?? '', podName: pod.metadata?.name ?? '', ordinal: works ?? pod.metadata?.name ?? '', helper: works !== undefined,
        node: this.#node, disk, name, force: forceNewCluster, state: initialClusterState, token: initialClusterToken ?? '',
        peerURLs: initialAdvertisePeerURLs, initialCluster,
      });
      const status = sandbox.statuses[sandbox.next];
      if (status) Object.assign(status, {containerID: `containerd://${pod.metadata?.uid ?? ''}`, started: true, ready: false, state: {running: {startedAt: new Date(this.#world.now)}}});
    } catch (error) {
      if (!(error instanceof StartFailed)) throw error;
      this.#exited(sandbox, 'Error', 1, error.message);
    }
  }

  /** A liveness probe that asks for a leader ends an etcd without one again and again. */
  #probe(sandbox: Sandbox): void {
    const {process} = sandbox;
    const status = sandbox.statuses[sandbox.next];
    if (process === undefined || status === undefined) return;
    status.ready = process.leader !== '' || process.helper || !this.#world.readyWithQuorum;
    const kept = process.leader !== '' || process.helper || !this.#world.liveness || this.#world.now - process.startedAt < 15_000;
    if (kept || sandbox.pod.spec?.containers[0]?.livenessProbe === undefined) return;
    this.#world.etcd.stop(process);
    this.#exited(sandbox, 'Error', 137);
  }

  #exited(sandbox: Sandbox, reason: string, exitCode: number, message = ''): void {
    sandbox.process = undefined;
    this.#ended(sandbox, reason, exitCode, message);
    if (sandbox.pod.spec?.restartPolicy === 'Never') sandbox.over = true;
    else this.#backOff(sandbox);
  }

  #ended(sandbox: Sandbox, reason: string, exitCode: number, message: string): void {
    const status = sandbox.statuses[sandbox.next];
    if (status === undefined) return;
    const terminated = {reason, exitCode, message, finishedAt: new Date(this.#world.now), containerID: 'containerd://ended'};
    Object.assign(status, {containerID: `containerd://${sandbox.pod.metadata?.uid ?? ''}`, ready: false, state: {terminated}});
  }

  #backOff(sandbox: Sandbox): void {
    const status = sandbox.statuses[sandbox.next];
    if (status === undefined) return;
    sandbox.retryAt = this.#world.now + 10_000;
    const ended = status.state?.terminated;
    Object.assign(status, {restartCount: status.restartCount + 1, state: {waiting: {reason: 'CrashLoopBackOff'}}, ...(ended && {lastState: {terminated: ended}})});
  }

  #kill(sandbox: Sandbox): void {
    if (sandbox.process) this.#world.etcd.stop(sandbox.process);
    sandbox.process = undefined;
  }

  #terminate(pod: V1Pod, known: Sandbox | undefined): void {
    const {now, random, store, namespace} = this.#world;
    const sandbox = known ?? this.#admit(pod);
    sandbox.pod = pod;
    sandbox.stopAt ??= now + random.below(1_500);
    if (now < sandbox.stopAt) return;
    const reported = pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed';
    if (sandbox.process) {
      this.#kill(sandbox);
      this.#ended(sandbox, 'Completed', 0, '');
    }
    if (!reported || !sandbox.over) {
      for (const status of sandbox.statuses) {
        const last = status.lastState?.terminated;
        if (status.state?.waiting && last) status.state = {terminated: last};
        // An agent that waited for its turn.
        if (status.state?.running) status.state = {terminated: {reason: 'Error', exitCode: 143, message: '', finishedAt: new Date(now), containerID: 'containerd://ended'}};
      }
      sandbox.over = true;
      this.#report(sandbox, 'Succeeded');
      return;
    }
    if (pod.metadata?.deletionGracePeriodSeconds !== 0) store.delete('Pod', namespace, pod.metadata?.name ?? '', {uid: pod.metadata?.uid ?? '', gracePeriodSeconds: 0});
  }

  #report(sandbox: Sandbox, ended?: string): void {
    const {pod, statuses} = sandbox;
    const inits = pod.spec?.initContainers?.length ?? 0;
    const failed = statuses.some((status) => (status.state?.terminated?.exitCode ?? 0) !== 0);
    const phase = sandbox.over ? (failed ? 'Failed' : ended ?? 'Succeeded') : sandbox.next >= inits && statuses.some((status) => status.containerID !== undefined) ? 'Running' : 'Pending';
    const parts = [phase, ...statuses.flatMap(({state, lastState, ready, restartCount, started}) => [state, lastState, ready, restartCount, started])];
    const before = sandbox.reported;
    if (before !== undefined && before.status === pod.status && before.parts.every((part, at) => part === parts[at])) return;
    const isReady = statuses.slice(inits).every((status) => status.ready);
    const status = {
      phase, podIP: `ip-${pod.metadata?.uid ?? ''}`,
      conditions: [{type: 'PodScheduled', status: 'True'}, {type: 'Ready', status: isReady ? 'True' : 'False'}],
      ...(inits > 0 && {initContainerStatuses: clone(statuses.slice(0, inits))}), containerStatuses: clone(statuses.slice(inits)),
    };
    const written = this.#world.store.replace('Pod', this.#world.namespace, pod.metadata?.name ?? '', (known) => ({...known, status}), {uid: pod.metadata?.uid});
    sandbox.reported = {status: written.status, parts};
  }
}
