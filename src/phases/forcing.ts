import type {V1Pod} from '@kubernetes/client-node';
import {marks} from '../api/types.ts';
import type {Outcome} from '../decide/decision.ts';
import {isOverdue} from '../decide/trouble.ts';
import {keptWhere} from '../decide/snapshots.ts';
import {isEtcdError} from '../etcd/errors.ts';
import type {EtcdMember} from '../etcd/types.ts';
import {isWaitingToStart} from '../kubernetes/errors.ts';
import {isLaunch} from '../observe/observation.ts';
import {settleAlarms, stillFull} from './alarms.ts';
import type {Acting} from './context.ts';
import {again, finished, memberIn, refused, untilReady} from './context.ts';

/** How many WAL entries etcd says it dropped (log line "discarding uncommitted WAL entries", etcd server/etcdserver/bootstrap.go). */
export function discardedEntries(log: string): number {
  const counts = [...log.matchAll(/"number-of-discarded-entries":\s*(\d+)/g)].map(([, count]) => Number(count));
  return counts.at(-1) ?? 0;
}

async function missingCanary(member: EtcdMember, keys: readonly string[]): Promise<string | undefined> {
  for (const key of keys) {
    if ((await member.get(key)).value === undefined) return key;
  }
  return undefined;
}

/** Exactly one member, which leads itself; what a force left in the list beside it (learners, etcd before 3.5.25 and 3.6.6) is removed. */
export async function aloneAndLeading(member: EtcdMember): Promise<string | undefined> {
  const status = await member.status();
  if (status.leader !== status.memberID) return 'it does not lead itself yet';
  const {members} = await member.memberList({linearizable: true});
  const others = members.filter((other) => other.id !== status.memberID);
  for (const other of others) await member.removeMember(other.id);
  return others.length > 0 ? `${others.length} old members were left in its list and were removed` : undefined;
}

/** undefined: the database is full. */
async function probeWrite(member: EtcdMember, value: string): Promise<number | undefined> {
  try {
    return (await member.put(marks.probeKey, value)).revision;
  } catch (error) {
    if (isEtcdError(error, 'NoSpace')) return undefined;
    throw error;
  }
}

/** What the forced etcd wrote; undefined: its port answers before its kubelet tells of it. */
async function logOf({client}: Acting, pod: V1Pod, container: string): Promise<string | undefined> {
  try {
    return await client.podLog(pod.metadata?.namespace ?? 'default', pod.metadata?.name ?? '', {container, limitBytes: 262_144});
  } catch (error) {
    if (isWaitingToStart(error)) return undefined;
    throw error;
  }
}

/** The checks of the forced etcd, before any client or other member can reach it. */
export async function checkForced(acting: Acting, pod: V1Pod): Promise<Outcome> {
  const {observation} = acting;
  const survivor = observation.status.run?.plan?.survivor ?? '';
  return await untilReady(60, async () => {
    const member = memberIn(acting, pod, survivor);
    const problem = await aloneAndLeading(member);
    if (problem) return again(problem, 100);
    const canary = await missingCanary(member, observation.spec.verification.canaryKeys);
    if (canary !== undefined) {
      return refused('CanaryMissing', `canary key ${canary} (spec.verification.canaryKeys) is not in the data of ${survivor}. No client has reached it and every name is held. If this data is what you want all the same, take the key out of spec.verification.canaryKeys: the run goes on`);
    }
    const status = await member.status();
    const alarm = await settleAlarms(survivor, member, status);
    if (alarm) return alarm;
    const revision = await probeWrite(member, `run ${observation.status.run?.id ?? ''}`);
    if (revision === undefined) return stillFull(survivor, keptWhere(observation.status.run));
    const container = pod.spec?.containers[0]?.name ?? 'etcd';
    const log = await logOf(acting, pod, container);
    if (log === undefined) return again('its kubelet does not call it started yet', 200);
    const discarded = discardedEntries(log);
    return finished(`one member, its own leader, revision ${revision}`, (draft) => {
      if (draft.run?.force) draft.run.force = {...draft.run.force, revision, discardedEntries: discarded};
      // Not what the backend said before: a member that was killed has more in its log.
      // An attempt before this one may have moved it already.
      const survivorRevision = draft.run?.force?.move === undefined ? status.revision : draft.dataLoss?.survivorRevision;
      draft.dataLoss = {...draft.dataLoss, ...(survivorRevision !== undefined && {survivorRevision}), discardedEntries: discarded};
    });
  });
}

const forceFlag = /force-new-cluster(?!-bump)(=true)?$|ETCD_FORCE_NEW_CLUSTER/;

/** The force flag in what a pod starts; a helper's annotation with a config file counts as well. */
export function carriesForceFlag(pod: V1Pod): boolean {
  return (pod.spec?.containers ?? []).some((container) =>
    [...(container.command ?? []), ...(container.args ?? [])].some((word) => word.split(/\s+/).some((part) => forceFlag.test(part.replaceAll(/['"]/g, ''))))
    || (container.env ?? []).some((variable) => variable.name === 'ETCD_FORCE_NEW_CLUSTER' && variable.value !== '' && variable.value !== 'false'));
}

/** The survivor's own pod is the cluster now: it leads itself, and the first write of a client is accepted. */
export async function proveWrite(acting: Acting, pod: V1Pod): Promise<Outcome> {
  const {observation} = acting;
  const survivor = observation.ordinals.find((view) => view.pod === pod.metadata?.name);
  if (survivor === undefined || !isLaunch(survivor.launch)) return again('how the survivor starts is not known', 1_000);
  if (carriesForceFlag(pod)) return refused('TemplateForces', `pod ${survivor.pod} carries the force flag: take it out of the StatefulSet's template before any member joins`);
  const outcome = await untilReady(60, async () => {
    const member = memberIn(acting, pod, survivor.pod);
    const status = await member.status();
    if (status.leader !== status.memberID) return again(`${survivor.pod} does not lead itself yet`, 60);
    await member.put(marks.probeKey, `run ${observation.status.run?.id ?? ''} in its own pod`);
    return finished(`${survivor.pod} serves alone and accepts writes`, (draft) => {
      if (draft.run) draft.run.writableAt ??= new Date(acting.now()).toISOString();
    });
  });
  if (outcome.kind !== 'retry' || !isOverdue(observation, 'StartSurvivor')) return outcome;
  return refused('SurvivorNotServing', `after ${observation.spec.verification.timeout}: ${outcome.why}. The force is done, and no member serves; read the log of pod ${survivor.pod}. The run goes on once it serves`);
}
