import type {V1Pod, V1StatefulSet} from '@kubernetes/client-node';
import type {QuorumRecovery} from '../../api/types.ts';
import {templatesOf} from '../../kubernetes/revisions.ts';
import {duration} from '../render/text.ts';
import {servedBy} from './cluster.ts';
import type {ClusterFacts, SetFacts} from './facts.ts';
import {note, ok, problem, unknown} from './finding.ts';
import type {Finding} from './finding.ts';
import {launchFindings, launchOf} from './launch.ts';

function size({spec}: V1StatefulSet): Finding {
  const replicas = spec?.replicas ?? 1;
  if (replicas < 3) return note('Size', `${replicas} ${replicas === 1 ? 'member' : 'members'}: one failure is a loss of quorum`, 'three members');
  if (replicas % 2 === 0) return note('Size', `${replicas} members bear no more failures than ${replicas - 1}`, 'an odd number of members');
  return ok('Size', `${replicas} members`);
}

function podManagement({spec}: V1StatefulSet): Finding {
  return spec?.podManagementPolicy === 'Parallel' ? ok('Pod management', 'Parallel')
    : note('Pod management', 'OrderedReady: after a restart of everything, etcd-0 alone is never Ready, and the others wait for it', 'podManagementPolicy: Parallel (it takes a new StatefulSet: kubectl delete --cascade=orphan, and create)');
}

function retention({spec}: V1StatefulSet): Finding {
  const policy = spec?.persistentVolumeClaimRetentionPolicy;
  const deletes = [...(policy?.whenDeleted === 'Delete' ? ['whenDeleted'] : []), ...(policy?.whenScaled === 'Delete' ? ['whenScaled'] : [])];
  if (deletes.length === 0) return ok('Claim retention', 'claims are kept when the set is scaled or deleted');
  return problem('Claim retention', `persistentVolumeClaimRetentionPolicy deletes the claims (${deletes.join(', ')}): a StatefulSet that is deleted or scaled in the panic takes its data along`, 'kubectl patch statefulset: whenDeleted and whenScaled: Retain');
}

function rollout({set, pods}: SetFacts): Finding {
  const why = templatesOf(set, [], pods).rollout;
  return why === undefined ? ok('Rollout', 'none under way') : problem('Rollout', `one is under way: ${why}; a run would be Blocked (RolloutInProgress)`, 'finish it, or kubectl rollout undo');
}

function names({set, service}: SetFacts): Finding {
  const name = set.spec?.serviceName ?? '';
  if (name === '') return note('Service', 'the set has no governing Service', 'see that peers find each other by addresses that stay');
  if (service === undefined) return problem('Service', `Service ${name} does not exist`, 'create it (headless, publishNotReadyAddresses: true)');
  if (service.spec?.publishNotReadyAddresses === true) return ok('Service', `${name} publishes the names of pods that are not Ready`);
  return problem('Service', `${name} does not publish the names of pods that are not Ready: no member of a lost quorum is Ready, and no learner, so that peers would not find each other`, 'set publishNotReadyAddresses: true on it');
}

const nodeOf = (pod: V1Pod) => pod.spec?.nodeName;

function spread({set, pods}: SetFacts): Finding[] {
  const spec = set.spec?.template.spec;
  const kept = spec?.affinity?.podAntiAffinity !== undefined || (spec?.topologySpreadConstraints ?? []).length > 0;
  const byNode = new Map<string, string[]>();
  for (const pod of pods) byNode.set(nodeOf(pod) ?? '', [...byNode.get(nodeOf(pod) ?? '') ?? [], pod.metadata?.name ?? '']);
  const shared = [...byNode].filter(([node, there]) => node !== '' && there.length > 1);
  return [
    ...shared.map(([node, there]) => problem('Spread', `${there.join(', ')} are on one node (${node}): its end takes them all`, 'add a podAntiAffinity on kubernetes.io/hostname, and move one')),
    ...(kept ? shared.length === 0 ? [ok('Spread', 'members are kept on different nodes')] : [] : [note('Spread', 'nothing keeps members on different nodes', 'add a podAntiAffinity or topologySpreadConstraints on kubernetes.io/hostname')]),
  ];
}

function spareNodes({set}: SetFacts, {nodes}: ClusterFacts): Finding {
  if ('forbidden' in nodes) return unknown('Nodes', 'you may not list nodes, so it cannot be told whether there are any to spare', 'ask an administrator');
  const usable = nodes.told.filter(({spec, status}) => spec?.unschedulable !== true && status?.conditions?.some(({type, status: is}) => type === 'Ready' && is === 'True'));
  const replicas = set.spec?.replicas ?? 1;
  if (usable.length > replicas) return ok('Nodes', `${usable.length} Ready for ${replicas} members`);
  return note('Nodes', `${usable.length} Ready for ${replicas} members: where a node is lost for good, its member waits for a new one (Degraded)`, 'a spare node, or one that comes by itself (autoscaling)');
}

function volumes({volumes: found}: SetFacts): Finding {
  if ('forbidden' in found) return unknown('Reclaim policy', 'you may not read persistentvolumes', 'ask an administrator whether they are Retain');
  const deleted = found.told.filter(({spec}) => spec?.persistentVolumeReclaimPolicy === 'Delete').map(({metadata}) => metadata?.name ?? '');
  if (deleted.length === 0) return ok('Reclaim policy', 'Retain');
  return note('Reclaim policy', `Delete on ${deleted.length} ${deleted.length === 1 ? 'volume' : 'volumes'}: the operator switches those of lost nodes to Retain before it replaces a claim, but a claim that a person deletes takes its data along`, 'kubectl patch pv NAME -p \'{"spec":{"persistentVolumeReclaimPolicy":"Retain"}}\'');
}

const inMiB = (bytes: number) => `${Math.round(bytes / (1 << 20))} MiB`;

function space({usage}: SetFacts, resource: QuorumRecovery | undefined): Finding[] {
  if ('forbidden' in usage) return [unknown('Free space', 'the kubelets tell it only to who may get nodes/proxy', 'see that every volume has as much free as it holds: the survivor\'s data is copied on its own volume')];
  if (usage.told.length === 0) return [unknown('Free space', 'the kubelets tell nothing of these volumes', 'see that every volume has as much free as it holds')];
  if (resource?.spec.preserve.mode === 'Skip') return [ok('Free space', 'no copy is made (preserve.mode: Skip)')];
  const short = usage.told.filter(({usedBytes, availableBytes}) => availableBytes < usedBytes);
  if (short.length === 0) return [ok('Free space', 'every volume has room for a copy of what is on it')];
  return short.map(({claim, usedBytes, availableBytes, capacityBytes}) => note('Free space', `${claim} has ${inMiB(availableBytes)} of ${inMiB(capacityBytes)} free, and holds ${inMiB(usedBytes)}: a copy may not fit (AgentFailed: NoSpace)`, 'a larger volume, or preserve.mode: Skip and a snapshot of your own'));
}

/** The witness is written about once a minute while all is well. */
const freshMs = 10 * 60_000;

function standing(all: readonly QuorumRecovery[], name: string, now: number): Finding[] {
  const [first, ...more] = all.filter((one) => one.spec.target.statefulSet === name);
  if (first === undefined) return [note('Standing resource', `no QuorumRecovery watches ${name}: nobody could tell afterwards what the lost members had, nor prove that pods ended which were deleted in the panic`, `make one now, while all is well: kubectl quorum-recovery recover ${name}`)];
  const own = first.metadata.name ?? '';
  const witness = first.status?.lastHealthy;
  const seen = witness === undefined ? undefined : now - Date.parse(witness.observedAt);
  const findings = [
    seen === undefined ? note('Standing resource', `${own} has never seen the cluster whole`, `see what it waits for: kubectl quorum-recovery status ${own}`)
      : seen > freshMs ? note('Standing resource', `${own} saw the cluster whole ${duration(seen)} ago, and not since`, `see what is wrong: kubectl quorum-recovery status ${own}`)
        : ok('Standing resource', `${own} saw the cluster whole ${duration(seen)} ago`),
  ];
  if (first.spec.paused) findings.push(note('Standing resource', `${own} is paused: no run would begin`, `kubectl quorum-recovery resume ${own}`));
  if (more.length > 0) findings.push(note('Standing resource', `${more.map(({metadata}) => metadata.name ?? '').join(', ')} are for the same set: the oldest works, the others are Stalled (DuplicateResource)`, 'delete them'));
  return findings;
}

/** What is to be said of one StatefulSet. */
export function setFindings(facts: SetFacts, cluster: ClusterFacts, now: number): Finding[] {
  const name = facts.set.metadata?.name ?? '';
  const resource = cluster.resources?.find((one) => one.spec.target.statefulSet === name);
  return [
    size(facts.set), ...launchFindings(facts, resource), names(facts), rollout(facts), podManagement(facts.set), retention(facts.set), ...spread(facts), spareNodes(facts, cluster),
    volumes(facts), ...space(facts, resource), ...standing(cluster.resources ?? [], name, now), ...(resource === undefined ? [] : servedBy(cluster, resource)),
  ];
}

/** A set that can be read as an etcd. */
export const isEtcd = (facts: SetFacts): boolean => !('problem' in launchOf(facts, undefined));
