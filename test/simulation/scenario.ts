import type {V1StatefulSet} from '@kubernetes/client-node';
import {apiVersion} from '../../src/api/types.ts';
import type {QuorumRecovery} from '../../src/api/types.ts';
import {dependents} from './dependents.ts';
import {dumpClaim} from './dumps.ts';
import {newDisk} from './etcd-data.ts';
import {snapshotOf} from './snapshots.ts';
import {World} from './world.ts';

/** What becomes of the node of one member. */
export type Fate =
  /** Nothing. */
  | 'Alive'
  /** The machine is gone, its Node is deleted. */
  | 'Deleted'
  /** The machine is gone, its Node carries the out-of-service taint. */
  | 'OutOfService'
  /** The machine is gone, its Node stays NotReady. */
  | 'DeadNotReady'
  /** Cut off from the control plane; its etcd runs on. */
  | 'CutOff'
  /** As DeadNotReady, and a person says so in spec.lostMembers. */
  | 'Named'
  /** The machine is alive and cut off, its Node was deleted and registered again. */
  | 'Registered again'
  /** The machine is well; what is on the disk is damaged, and its etcd does not start on it. */
  | 'Corrupt'
  /** The machine is well; the log on the disk is damaged, the database is not. */
  | 'Log corrupt'
  /** The same, from the log's beginning: it does not say any more whose it is. */
  | 'Log lost'
  /** The machine is well; somebody has taken the member out of the list, and its etcd ends. */
  | 'Removed'
  /** The machine is well; somebody has deleted the pod. */
  | 'Pod deleted';

export interface Scenario {
  seed: number;
  fates: Fate[];
  spareNodes: number;
  /** One member of the set a node at most. */
  antiAffinity: boolean;
  ordered: boolean;
  liveness: boolean;
  policyLagMs: number;
  /** The resource was there while all was well: there is a witness. */
  watched: boolean;
  /** How long the faults were there before the resource or the operator looks, ms. */
  beforeMs: number;
  /** The cut off nodes come back so long after the run began, ms. */
  backAfterMs: number | undefined;
  /** Entries that a leader that is gone had sent to the members that are left, without telling that they were committed. */
  tail: number;
  network: boolean;
  /** `approval: Required`, and how long a plan stands before somebody approves it, ms; undefined: Automatic. */
  approvalMs?: number | undefined;
  /** Of so many reads one fails: probability. */
  flaky?: number;
  /** What was kept goes so soon after the end that it is seen, ms; undefined: after the default of a week. */
  retentionMs?: number | undefined;
  /** `spec.preferredLeader`. */
  preferredLeader?: string | undefined;
  /** Whoever follows an operator is of another installation, and takes the run over. */
  shards?: boolean;
  /** While a quorum serves: members that are gone for good are replaced. */
  replaces?: boolean;
  /** The resource stands with OnQuorumLoss and trigger.autoReplace, and nobody asks for anything. */
  autoReplaces?: boolean;
  /** Something uses this etcd, and is stopped around the surgery; fought: somebody starts it again meanwhile. */
  dependents?: 'quiet' | 'fought' | undefined;
  /** There is a store with a snapshot from before the last writes, and no data is left. */
  restores?: boolean;
  /** etcd's version; default: one that can be forced. */
  version?: string;
  /** What the cluster holds stands outside it too, and no data is left. */
  rebuilds?: boolean;
  /** Beside that there is a dump on a claim. */
  dumps?: boolean;
  /** So many members of a new cluster go with their nodes before it serves: once its data is in place, or once their etcd has started. */
  losesFirst?: {count: number; once: 'seeded' | 'started'};
  /** By this strategy. A pod is Ready only in a quorum: where pods are made in order, those that are deleted do not come back by themselves. */
  restarts?: 'Auto' | 'Restart';
}

export const mainScenario: Scenario = {
  seed: 1, fates: ['Deleted', 'Deleted', 'Alive'], spareNodes: 2, antiAffinity: true, ordered: false, liveness: false, policyLagMs: 200,
  watched: true, beforeMs: 5_000, backAfterMs: undefined, tail: 0, network: false,
};

const peer = (name: string) => `http://${name}.etcd:2380`;

function statefulSet(scenario: Scenario): V1StatefulSet {
  const names = scenario.fates.map((_, ordinal) => `etcd-${ordinal}`);
  return {
    apiVersion: 'apps/v1', kind: 'StatefulSet', metadata: {name: 'etcd', namespace: 'db'},
    spec: {
      replicas: names.length, serviceName: 'etcd', podManagementPolicy: scenario.ordered ? 'OrderedReady' : 'Parallel',
      selector: {matchLabels: {app: 'etcd'}},
      volumeClaimTemplates: [{metadata: {name: 'data'}, spec: {accessModes: ['ReadWriteOnce'], resources: {requests: {storage: '1Gi'}}}}],
      template: {
        metadata: {labels: {app: 'etcd'}},
        spec: {
          terminationGracePeriodSeconds: 10,
          ...(scenario.antiAffinity && {affinity: {podAntiAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: 'kubernetes.io/hostname', labelSelector: {matchLabels: {app: 'etcd'}}}]}}}),
          containers: [{
            name: 'etcd', image: `registry.example/etcd:${scenario.version ?? '3.6.16'}`, env: [{name: 'POD_NAME', valueFrom: {fieldRef: {fieldPath: 'metadata.name'}}}],
            command: ['/usr/local/bin/etcd'],
            args: [
              '--name=$(POD_NAME)', '--data-dir=/var/lib/etcd', '--listen-client-urls=http://0.0.0.0:2379', '--advertise-client-urls=http://$(POD_NAME).etcd:2379',
              '--listen-peer-urls=http://0.0.0.0:2380', '--initial-advertise-peer-urls=http://$(POD_NAME).etcd:2380', '--initial-cluster-state=new',
              '--initial-cluster-token=t', `--initial-cluster=${names.map((name) => `${name}=${peer(name)}`).join(',')}`,
            ],
            ...(scenario.liveness && {livenessProbe: {httpGet: {path: '/health', port: 2381}}}),
            volumeMounts: [{name: 'data', mountPath: '/var/lib/etcd'}],
          }],
        },
      },
    },
  };
}

/** An etcd that serves: every member on a node of its own, some keys written and acknowledged. */
export function healthyWorld(scenario: Scenario): {world: World; set: V1StatefulSet} {
  const {seed, liveness, policyLagMs, fates, spareNodes} = scenario;
  const world = new World({seed, liveness, policyLagMs});
  const {store} = world;
  if (scenario.version !== undefined) world.etcd.version = scenario.version;
  for (let node = 0; node < fates.length; node += 1) world.addNode(`node-${node}`);
  store.create('Service', {apiVersion: 'v1', kind: 'Service', metadata: {name: 'etcd', namespace: 'db'}, spec: {clusterIP: 'None', publishNotReadyAddresses: true}});
  const made = store.create('StatefulSet', statefulSet(scenario));
  store.create('ControllerRevision', {
    apiVersion: 'apps/v1', kind: 'ControllerRevision', revision: 1, data: {spec: {template: {...made.spec?.template, $patch: 'replace'}}} as never,
    metadata: {name: 'etcd-1111', namespace: 'db', labels: {app: 'etcd'}, ownerReferences: [{apiVersion: 'apps/v1', kind: 'StatefulSet', name: 'etcd', uid: made.metadata?.uid ?? '', controller: true}]},
  });
  const set = store.change('StatefulSet', 'db', 'etcd', (draft) => {
    draft.status = {replicas: fates.length, observedGeneration: 1, currentRevision: 'etcd-1111', updateRevision: 'etcd-1111'};
  });
  placeMembers(world, scenario);
  // How it came up is no part of what is tried: nothing is late.
  world.random.calm = true;
  for (let ticks = 0; ticks < 400 && !whole(world, fates.length); ticks += 1) world.tick(1_000);
  world.random.calm = false;
  if (!whole(world, fates.length)) throw new Error('the cluster did not come up');
  for (let node = 0; node < spareNodes; node += 1) world.addNode(`spare-${node}`);
  return {world, set};
}

/** Member n's volume is on node n, so that fates can be told by ordinal. */
function placeMembers(world: World, scenario: Scenario): void {
  scenario.fates.forEach((_, ordinal) => {
    const claim = `data-etcd-${ordinal}`;
    const node = scenario.network ? undefined : `node-${ordinal}`;
    const volume = `pv-${ordinal}`;
    world.store.create('PersistentVolumeClaim', {
      apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata: {name: claim, namespace: 'db', labels: {app: 'etcd'}}, spec: {volumeName: volume, accessModes: ['ReadWriteOnce']},
    });
    world.store.change('PersistentVolumeClaim', 'db', claim, (draft) => { draft.status = {phase: 'Bound'}; });
    world.makeVolume(volume, node, claim);
    world.disks.set(volume, {volume, node, destroyed: false, member: {is: 'absent'}, copies: new Map(), aside: [], markers: new Map(), joins: new Set()});
  });
}

/** A claim that any node can mount, with a snapshot of what is written by now. */
export function takeSnapshot(world: World): void {
  const leader = [...world.etcd.processes].find((process) => world.etcd.leads(process));
  if (leader === undefined) throw new Error('nobody leads');
  world.store.create('PersistentVolumeClaim', {apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata: {name: 'backups', namespace: 'db'}, spec: {volumeName: 'pv-backups', accessModes: ['ReadWriteMany']}});
  world.makeVolume('pv-backups', undefined, 'backups');
  world.disks.set('pv-backups', newDisk('pv-backups', undefined));
  world.snapshot = snapshotOf(leader.data, 'snapshot-1.db', new Date(world.now).toISOString());
}

const whole = (world: World, count: number) => {
  const processes = [...world.etcd.processes];
  return processes.length === count && processes.every((process) => process.serving && process.leader !== ''
    && process.data.members.filter((member) => member.name !== '').length === count)
    && world.store.list('Pod', 'db').every((pod) => pod.status?.conditions?.some((condition) => condition.type === 'Ready' && condition.status === 'True'));
};

/** What a cluster is rebuilt from. */
const rebuildFrom = (dumps: boolean) => ({
  sources: [{name: 'site', configMap: 'site', keyPrefix: '/site/'}, ...(dumps ? [{name: 'queue', claim: dumpClaim, path: 'all.json', dump: true}] : [])],
  checks: [{name: 'in-sync', sources: ['site', ...(dumps ? ['queue'] : [])]}],
});

export function newResource({approvalMs, retentionMs, preferredLeader, replaces, restarts, restores, rebuilds, dumps, dependents: around}: Scenario, spec: Partial<QuorumRecovery['spec']> = {}): QuorumRecovery {
  return {
    apiVersion, kind: 'QuorumRecovery', metadata: {name: 'etcd', namespace: 'db'},
    spec: {
      target: {statefulSet: 'etcd'}, trigger: {type: 'Manual'}, ...(replaces === true && {strategy: 'ReplaceMembers'}), ...(restarts !== undefined && {strategy: restarts}),
      ...(approvalMs !== undefined && {approval: 'Required'}), ...(around !== undefined && {dependents}), ...(retentionMs !== undefined && {preserve: {mode: 'Copy', retention: `${retentionMs}ms`}}),
      ...(preferredLeader !== undefined && {preferredLeader}), ...(restores === true && {snapshot: {claim: {name: 'backups'}}}), ...(rebuilds === true && {rebuild: rebuildFrom(dumps === true)}), ...spec,
    } as QuorumRecovery['spec'],
  };
}

/** Writes through a member that serves; what is acknowledged counts. */
export function write(world: World, key: string, value: string): boolean {
  const process = [...world.etcd.processes].find((candidate) => candidate.serving && world.etcd.confirmed(candidate) !== undefined && !candidate.helper
    && world.machines.get(candidate.node)?.connected === true);
  return process !== undefined && world.etcd.propose(process, {put: {key, value}}) !== undefined;
}

/** The faults, all at one moment. */
export function strike(world: World, scenario: Scenario): void {
  world.readyWithQuorum = scenario.restarts !== undefined;
  strikeTail(world, scenario);
  takeOut(world, scenario);
  scenario.fates.forEach((fate, ordinal) => {
    const node = `node-${ordinal}`;
    switch (fate) {
      case 'Alive': case 'Removed': break;
      case 'Corrupt': case 'Log corrupt': case 'Log lost':
        for (const disk of world.disks.values()) if (disk.node === node) disk.corrupt = ({'Corrupt': 'all', 'Log corrupt': 'log', 'Log lost': 'whole log'} as const)[fate];
        for (const process of [...world.etcd.processes].filter((one) => one.node === node)) world.machines.get(node)?.kubelet.crash(process);
        break;
      case 'Pod deleted': world.store.delete('Pod', 'db', `etcd-${ordinal}`); break;
      case 'CutOff': world.disconnect(node); break;
      case 'DeadNotReady': case 'Named': world.destroyMachine(node); break;
      case 'Deleted':
        world.destroyMachine(node);
        world.deleteNode(node);
        break;
      case 'OutOfService':
        world.destroyMachine(node);
        world.store.change('Node', undefined, node, (draft) => {
          draft.spec = {...draft.spec, taints: [{key: 'node.kubernetes.io/out-of-service', effect: 'NoExecute'}]};
          draft.status = {...draft.status, conditions: [{type: 'Ready', status: 'Unknown'}]};
        });
        break;
      case 'Registered again':
        world.disconnect(node);
        world.deleteNode(node);
        world.registerNode(node);
    }
  });
}

/** As `etcdctl member remove` does, while all is well. */
function takeOut(world: World, {fates}: Scenario): void {
  fates.forEach((fate, ordinal) => {
    const leader = [...world.etcd.processes].find((process) => world.etcd.leads(process));
    const member = leader?.data.members.find(({peerURLs}) => peerURLs.includes(peer(`etcd-${ordinal}`)));
    if (fate !== 'Removed' || leader === undefined || member === undefined) return;
    for (let tries = 0; tries < 20 && world.etcd.propose(leader, {removeMember: member.id}) === undefined; tries += 1) world.tick(1_000);
    // Whoever is cut off next does not keep the others from hearing of it.
    for (let ticks = 0; ticks < 20 && ![...world.etcd.processes].every((process) => process.data.members.every(({id}) => id !== member.id)); ticks += 1) world.tick(1_000);
  });
}

/** A leader on a node that is lost sends entries to everybody, and ends before it tells that they are committed. */
function strikeTail(world: World, {tail}: Scenario): void {
  const leader = [...world.etcd.processes].find((process) => world.etcd.leads(process));
  if (leader === undefined) return;
  for (let entry = 0; entry < tail; entry += 1) {
    leader.data.log.push({term: leader.data.term, put: {key: `tail-${entry}`, value: 'x'}});
    world.etcd.replicate(leader, false);
  }
}
