import {marks} from '../api/types.ts';
import type {Action, Outcome} from '../decide/decision.ts';
import {causesOf} from '../decide/evidence/causes.ts';
import {durationMs} from '../decide/durations.ts';
import {setSpecHash} from '../decide/plans/plan.ts';
import type {EtcdMember} from '../etcd/types.ts';
import {isLaunch} from '../observe/observation.ts';
import type {Acting} from './context.ts';
import {again, finished, memberOf, refused, untilReady} from './context.ts';
import {carriesForceFlag} from './forcing.ts';

interface Checked {
  pod: string;
  member: EtcdMember;
}

/** What does not hold yet, in words; undefined: it holds. */
type Check = Promise<string | undefined>;

const namesOf = ({observation: {ordinals}}: Acting, pods: readonly string[]): string[] =>
  ordinals.filter((view) => pods.includes(view.pod)).map((view) => (isLaunch(view.launch) ? view.launch.name : view.pod));

async function listEqualsSet(acting: Acting, via: EtcdMember, pods: readonly string[], apart: readonly string[]): Check {
  const {members} = await via.memberList({linearizable: true});
  const expected = namesOf(acting, pods);
  const may = [...expected, ...namesOf(acting, apart)];
  const voters = members.filter((member) => !member.isLearner).map((member) => member.name);
  const missing = expected.filter((name) => !voters.includes(name));
  const beyond = members.filter((member) => !may.includes(member.name));
  if (missing.length > 0) return `${missing.join(', ')} not in the member list`;
  return beyond.length > 0 ? `${beyond.map((member) => member.name || member.id).join(', ')} in the member list beside the set's pods` : undefined;
}

async function oneCluster(acting: Acting, checked: readonly Checked[]): Check {
  const statuses = await Promise.all(checked.map(async ({pod, member}) => ({pod, status: await member.status()})));
  const {identity, newCluster} = acting.observation.status.run ?? {};
  const id = newCluster?.clusterID ?? identity?.clusterID;
  const leaders = new Set(statuses.map(({status}) => status.leader));
  const odd = statuses.find(({status}) => status.leader === '' || status.isLearner || (id !== undefined && status.clusterID !== id));
  if (odd) return `${odd.pod}: leader ${odd.status.leader || 'none'}, cluster ID ${odd.status.clusterID}${odd.status.isLearner ? ', still a learner' : ''}`;
  return leaders.size === 1 ? undefined : `the members name different leaders: ${[...leaders].join(', ')}`;
}

/** A linearizable write, then the hash of the whole store at its revision on every member. */
async function equalData(acting: Acting, via: EtcdMember, checked: readonly Checked[]): Check {
  const {revision} = await via.put(marks.probeKey, `run ${acting.observation.status.run?.id ?? ''} verifies`);
  const reads = await Promise.all(checked.map(async ({pod, member}) => ({pod, at: (await member.get(marks.probeKey, {serializable: true})).revision})));
  const behind = reads.find(({at}) => at < revision);
  if (behind) return `${behind.pod} is at revision ${behind.at}, behind ${revision}`;
  const hashes = await Promise.all(checked.map(async ({pod, member}) => ({pod, ...await member.hashKV(revision)})));
  const [first] = hashes;
  const other = hashes.find(({hash, compactRevision}) => hash !== first?.hash || compactRevision !== first.compactRevision);
  return other && first ? `HashKV at revision ${revision} differs: ${first.pod} ${first.hash}, ${other.pod} ${other.hash}` : undefined;
}

async function canaries(acting: Acting, checked: readonly Checked[]): Check {
  for (const key of acting.observation.spec.verification.canaryKeys) {
    for (const {pod, member} of checked) {
      if ((await member.get(key, {serializable: true})).value === undefined) return `canary key ${key} is not on ${pod}`;
    }
  }
  return undefined;
}

/** Alarms of members that are no more would keep the cluster unhealthy for ever. */
async function alarmsGone(via: EtcdMember): Check {
  const [alarms, {members}] = await Promise.all([via.alarms(), via.memberList()]);
  const ids = new Set(members.map((member) => member.id));
  for (const alarm of alarms.filter((candidate) => !ids.has(candidate.memberID))) await via.disarm(alarm);
  const raised = alarms.filter((alarm) => ids.has(alarm.memberID));
  return raised.length > 0 ? `alarm ${raised.map((alarm) => `${alarm.alarm} of member ${alarm.memberID}`).join(', ')} is raised` : undefined;
}

function flagLeft(acting: Acting): string | undefined {
  const forced = acting.observation.ordinals.find((view) => view.object && carriesForceFlag(view.object));
  return forced && `pod ${forced.pod} carries the force flag`;
}

/** This operator never writes a StatefulSet; that nobody else did during the run is said too. */
function setWords({observation}: Acting): string {
  const same = observation.set !== undefined && observation.status.run?.plan?.setSpecHash === setSpecHash(observation.set);
  return same ? 'StatefulSet unchanged' : 'the StatefulSet\'s spec was changed by someone else during the run';
}

function awayWords({observation: {ordinals}}: Acting, away: readonly string[], apart: readonly string[]): string {
  const told = (words: string, pods: readonly string[]) => (pods.length === 0 ? '' : `. ${words}: ${causesOf(ordinals.filter(({pod}) => pods.includes(pod))) || pods.join(', ')}`);
  return `${told('Not back, and not needed for the quorum', away)}${told('No voter before the run either, and left as it is', apart)}`;
}

/** All checks of the end, the cheap ones first. Passing ones are recorded by the step's message. */
export async function verifyMembers(acting: Acting, {pods, via: viaPod, away = [], apart = []}: Omit<Extract<Action, {type: 'VerifyMembers'}>, 'type'>): Promise<Outcome> {
  const {observation} = acting;
  const via = memberOf(acting, viaPod);
  if (via === undefined) return again(`${viaPod} does not run`, 500);
  const checked = pods.map((pod) => ({pod, member: memberOf(acting, pod)}));
  const absent = checked.find(({member}) => member === undefined);
  if (absent) return again(`${absent.pod} does not run`, 500);
  const there = checked.filter((entry): entry is Checked => entry.member !== undefined);
  const outcome = await untilReady(150, async () => {
    const problem = await listEqualsSet(acting, via, [...pods, ...away], apart) ?? await oneCluster(acting, there) ?? await equalData(acting, via, there)
      ?? await canaries(acting, there) ?? await alarmsGone(via) ?? flagLeft(acting);
    return problem === undefined ? finished() : again(problem, 150);
  });
  const step = observation.status.run?.steps.find((candidate) => candidate.name === 'Verify');
  const late = step?.startedAt !== undefined && observation.now - Date.parse(step.startedAt) > durationMs(observation.spec.verification.timeout);
  if (outcome.kind === 'retry' && late) {
    return refused('VerificationFailed', `after ${observation.spec.verification.timeout}: ${outcome.why}. The cluster serves; look at this before you rely on it. The check goes on`);
  }
  if (outcome.kind !== 'done') return outcome;
  const canaryCount = observation.spec.verification.canaryKeys.length;
  const all = pods.length === observation.ordinals.length;
  return finished(`${pods.length} members: one list, one cluster ID, a linearizable write, equal hashes${canaryCount > 0 ? `, ${canaryCount} canary key${canaryCount > 1 ? 's' : ''} on each` : ''}, no alarm, no flag, ${setWords(acting)}${awayWords(acting, away, apart)}`, (draft) => {
    if (draft.run && all) draft.run.redundantAt ??= new Date(acting.now()).toISOString();
    for (const one of draft.run?.restarted ?? []) one.back = pods.includes(one.pod);
  });
}
