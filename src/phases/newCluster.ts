import {databaseOwner} from '../api/strategies.ts';
import {marks} from '../api/types.ts';
import type {Outcome} from '../decide/decision.ts';
import {isOverdue} from '../decide/trouble.ts';
import {isEtcdError} from '../etcd/errors.ts';
import type {EtcdErrorKind} from '../etcd/errors.ts';
import type {EtcdMember, MemberStatus} from '../etcd/types.ts';
import {isLaunch} from '../observe/observation.ts';
import {settleBroughtAlarms} from './alarms.ts';
import type {Acting} from './context.ts';
import {again, finished, memberOf, refused, untilReady} from './context.ts';

interface Asked {
  pod: string;
  member: EtcdMember;
  status: MemberStatus;
}

async function askAll(acting: Acting, pods: readonly string[]): Promise<Asked[] | string> {
  const members = pods.map((pod) => ({pod, member: memberOf(acting, pod)}));
  const absent = members.find(({member}) => member === undefined);
  if (absent) return `${absent.pod} does not run`;
  return await Promise.all(members.flatMap(({pod, member}) => (member === undefined ? [] : [{pod, member}]))
    .map(async ({pod, member}) => ({pod, member, status: await member.status()})));
}

/** What is not as it has to be; undefined: all are voters of the new cluster, with one leader. */
function oddIn(asked: readonly Asked[], clusterID: string): string | undefined {
  const stranger = asked.find(({status}) => status.clusterID !== clusterID);
  if (stranger) return `${stranger.pod} is in cluster ${stranger.status.clusterID}, not in ${clusterID}`;
  const leaderless = asked.find(({status}) => status.leader === '');
  return leaderless && `${leaderless.pod} knows no leader yet`;
}

async function missingCanary(member: EtcdMember, keys: readonly string[]): Promise<string | undefined> {
  for (const key of keys) if ((await member.get(key)).value === undefined) return key;
  return undefined;
}

const keptOut: readonly EtcdErrorKind[] = ['Unauthenticated', 'PermissionDenied', 'Certificate'];

/** What etcd does not accept is asked again, and told in its words: nothing is let go any more. Whom it does not let in is told elsewhere. */
async function orAgain(act: () => Promise<Outcome>): Promise<Outcome> {
  try {
    return await act();
  } catch (error) {
    if (isEtcdError(error) && !keptOut.includes(error.kind)) return again(error.message, 1_000);
    throw error;
  }
}

/**
 * The first write of the new cluster, when every member of it answers and they agree on a leader. From here on it is the cluster, and what was
 * seen of the old one is none of its: the witness goes.
 */
export async function proveNewCluster(acting: Acting, pods: readonly string[], {canaries, step}: {canaries: boolean; step: string}): Promise<Outcome> {
  const {observation} = acting;
  const {run} = observation.status;
  const clusterID = run?.newCluster?.clusterID ?? '';
  const outcome = await orAgain(() => untilReady(100, async () => {
    const asked = await askAll(acting, pods);
    if (typeof asked === 'string') return again(asked, 300);
    const odd = oddIn(asked, clusterID);
    if (odd !== undefined) return again(odd, 100);
    const leader = asked.find(({status}) => status.leader === status.memberID);
    if (leader === undefined) return again('its leader is none of its members', 100);
    const {members} = await leader.member.memberList({linearizable: true});
    const names = observation.ordinals.filter(({pod}) => pods.includes(pod)).map(({launch, pod}) => (isLaunch(launch) ? launch.name : pod));
    if (members.length !== names.length || members.some(({name}) => !names.includes(name))) return again('not every member has told its name yet', 100);
    const canary = canaries ? await missingCanary(leader.member, observation.spec.verification.canaryKeys) : undefined;
    if (canary !== undefined) {
      return refused('CanaryMissing', `canary key ${canary} (spec.verification.canaryKeys) is not in the restored snapshot. Dependents are still stopped. If this data is what you want all the same, take the key out of spec.verification.canaryKeys: the run goes on`);
    }
    const before = leader.status.revision;
    const others = asked.filter(({pod}) => pod !== leader.pod).map(({member}) => member);
    const settled = await settleBroughtAlarms([leader.member, ...others], before, run?.plan?.ranks.find(({pod}) => pod === databaseOwner(run.plan))?.memberID);
    if (typeof settled !== 'string') return settled;
    await leader.member.put(marks.probeKey, `run ${run?.id ?? ''} in a new cluster`);
    return finished(`${pods.join(', ')} serve as the new cluster ${clusterID}, from revision ${before}${settled === '' ? '' : `; ${settled}`}`, (draft) => {
      if (draft.run === undefined) return;
      const at = new Date(acting.now()).toISOString();
      draft.run.writableAt ??= at;
      const {newCluster, plan} = draft.run;
      if (plan) plan.survivor = leader.pod;
      if (newCluster) {
        newCluster.servedAt ??= at;
        const {move} = newCluster;
        if (move !== undefined) draft.dataLoss = {...draft.dataLoss, revisions: {from: move.from, to: Math.max(move.target, before), proven: move.proven, why: move.why}};
      }
      // Their own data is on their claims: the template may start on it, whoever makes the pod.
      draft.heldPods = (draft.heldPods ?? []).filter((name) => !pods.includes(name));
      delete draft.lastHealthy;
      delete draft.lastServed;
    });
  }));
  if (outcome.kind !== 'retry' || !isOverdue(observation, step)) return outcome;
  return refused('NewClusterNotServing', `after ${observation.spec.verification.timeout}: ${outcome.why}. The old data is kept on its volumes (.quorumrecovery/${run?.id ?? ''}); read the logs of ${pods.join(', ')}. The run goes on by itself once they serve`);
}
