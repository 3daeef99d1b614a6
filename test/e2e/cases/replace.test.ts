import assert from 'node:assert/strict';
import {closeSync, fsyncSync, openSync, writeSync} from 'node:fs';
import {join} from 'node:path';
import type {QuorumRecoveryStatus} from '../../../src/api/types.ts';
import {isEtcdError} from '../../../src/etcd/errors.ts';
import {readWal} from '../../../src/etcd/wal/wal.ts';
import {e2e} from '../case.ts';
import {dataThere, fingerprint, nothingLeft, setUnchanged, untouched, whole} from '../checks.ts';
import {deleteNodes, directoryOf, endNodesOf, labOf, loseNodesOf, podNames, signalPod, untilNotReady} from '../faults.ts';
import {Plugin} from '../plugin.ts';
import {applyRecovery, changeRecovery, conditionOf, untilComplete, untilReady, untilWitness} from '../recovery.ts';
import type {Scenario} from '../scenario.ts';
import {Missing, holds, until} from '../wait.ts';

const strategy = 'ReplaceMembers';

/** Who leads now, as the members agree. */
async function leaderOf(scenario: Scenario): Promise<string> {
  const statuses = await Promise.all((await scenario.members()).map(async (member) => ({pod: member.pod, status: await scenario.tool.status(member)})));
  const leader = statuses.find(({status}) => status.memberID === status.leader)?.pod;
  if (leader === undefined) throw new Error('nobody leads');
  return leader;
}

/** The others have a leader among themselves: the quorum goes on. */
async function untilServes(scenario: Scenario, pods: readonly string[]): Promise<void> {
  await until(`a leader among ${pods.join(', ')}`, async () => {
    const statuses = await Promise.all(pods.map(async (pod) => await scenario.etcdStatus(pod)));
    return statuses.some(({memberID, leader}) => memberID === leader) ? true : new Missing(`leaders ${statuses.map(({leader}) => leader).join(', ')}`);
  }, {seconds: 40});
}

/** The containers of pods that are not replaced: none of them may have been started again. */
const containersOf = async (scenario: Scenario, pods: readonly string[]) =>
  (await scenario.pods()).filter((pod) => pods.includes(pod.metadata?.name ?? '')).map((pod) => [pod.metadata?.uid, pod.status?.containerStatuses?.map(({containerID}) => containerID)]);

/** The longest time between two acknowledged writes from then on, ms. */
function longestPause(acks: readonly {at: number}[], from: number): number {
  const times = acks.map(({at}) => at).filter((at) => at >= from);
  return Math.max(0, ...times.slice(1).map((at, index) => at - (times[index] ?? at)));
}

interface Replaced {
  count?: number;
  lost: readonly string[];
  /** Containers of the others, as they were. */
  before: Awaited<ReturnType<typeof containersOf>>;
  /** When the operator was asked. */
  asked: number;
}

/** What has to hold after members were replaced: all is there that was ever acknowledged, and who stayed was not touched. */
async function replaced(scenario: Scenario, status: QuorumRecoveryStatus | undefined, {count = 3, lost, before, asked}: Replaced): Promise<void> {
  const stayed = podNames(count).filter((pod) => !lost.includes(pod));
  assert.equal(status?.run?.plan?.strategy, strategy);
  assert.deepEqual(status.run.plan.lost.map(({pod}) => pod), lost);
  assert.equal(conditionOf(status, 'DataLossPossible')?.status, 'False');
  assert.match(conditionOf(status, 'DataLossPossible')?.message ?? '', /^nothing was lost/);
  assert.equal(conditionOf(status, 'QuorumLost')?.status, 'False');
  assert.equal(status.quorum?.summary, `${count}/${count}`);
  assert.deepEqual(await containersOf(scenario, stayed), before, 'a member that stayed was started again');
  const report = await scenario.stopWriter();
  const pause = longestPause(report.acks, asked);
  console.log(`      replaced ${lost.join(', ')} in ${status.history?.[0]?.durationSeconds ?? 0} s; ${report.acks.length} writes, the longest pause between two while it ran ${pause} ms`);
  assert.ok(pause < 5_000, `clients could not write for ${pause} ms`);
  await setUnchanged(scenario);
  await whole(scenario, count);
  await nothingLeft(scenario);
  await dataThere(scenario, report.acks);
}

/** Some bytes in the middle of the log are others, and the etcd on it is ended: it does not start again. */
async function corrupt(scenario: Scenario, pod: string): Promise<void> {
  const data = join(labOf(scenario).disk(await scenario.nodeOf(pod)), await directoryOf(scenario, `data-${pod}`));
  const {segment, offset} = readWal(join(data, 'wal'))?.end.position ?? {segment: '', offset: 0};
  const file = openSync(join(data, 'wal', segment), 'r+');
  writeSync(file, Buffer.alloc(512, 7), 0, 512, Math.floor(offset / 2));
  fsyncSync(file);
  closeSync(file);
  signalPod(await scenario.pod(pod), '/usr/local/bin/etcd', 'SIGKILL');
  await until(`${pod} in a crash loop`, async () => {
    const etcd = (await scenario.pod(pod))?.status?.containerStatuses?.find(({name}) => name === 'etcd');
    return (etcd?.restartCount ?? 0) >= 2 ? true : new Missing(JSON.stringify(etcd?.state ?? {}));
  }, {seconds: 90});
}

describe('One of three members is gone for good, and a quorum serves', () => {
  e2e('its node is deleted, and it led: it is replaced, and the plan and the plugin say so', async (scenario) => {
    await scenario.addNodes(4);
    await scenario.startEtcd();
    await applyRecovery(scenario);
    await untilComplete(scenario, 'NotNeeded');
    await untilWitness(scenario);
    await scenario.startWriter();
    const leader = await leaderOf(scenario);
    const stayed = podNames().filter((pod) => pod !== leader);
    await loseNodesOf(scenario, [leader]);
    await untilServes(scenario, stayed);
    const before = await containersOf(scenario, stayed);
    const asked = Date.now();
    await changeRecovery(scenario, {strategy, approval: 'Required', trigger: {request: 'replace'}});
    const {status: waiting} = await untilReady(scenario, 'AwaitingApproval');
    assert.equal(waiting?.quorum?.summary, '2/3');
    const {out} = await new Plugin(scenario).run('plan', 'etcd');
    assert.match(out, /Strategy {2}ReplaceMembers[\s\S]*Loss {6}none/);
    assert.match(out, new RegExp(`${leader} .*NodeDeleted`));
    await changeRecovery(scenario, {approvedPlan: waiting.run?.plan?.hash ?? ''});
    const {status} = await untilComplete(scenario, 'Recovered', {request: 'replace'});
    await replaced(scenario, status, {lost: [leader], before, asked});
  }, {minutes: 8});

  e2e('its log is damaged and its etcd crash-loops: its data is set aside on its own volume, and it joins anew', async (scenario) => {
    await scenario.addNodes(3);
    await scenario.startEtcd();
    await scenario.startWriter();
    const lost = podNames().filter((pod) => pod !== 'etcd-0' && pod !== 'etcd-1');
    const before = await containersOf(scenario, ['etcd-0', 'etcd-1']);
    await corrupt(scenario, 'etcd-2');
    const asked = Date.now();
    await applyRecovery(scenario, {strategy});
    const {status} = await untilComplete(scenario, 'Recovered', {mayBlock: true});
    assert.match(status?.run?.plan?.lost[0]?.proof ?? '', /cannot be read|damaged/);
    assert.ok(status?.kept?.some(({pod}) => pod === 'etcd-2'), 'what was set aside is not told');
    await replaced(scenario, status, {lost, before, asked});
  }, {minutes: 8});

  e2e('somebody removed it from the list: its etcd does not start any more, and it joins anew', async (scenario) => {
    await scenario.addNodes(3);
    await scenario.startEtcd();
    await scenario.startWriter();
    const anchor = await scenario.member('etcd-0');
    const {members} = await scenario.tool.members(anchor);
    const {id} = members.find(({name}) => name === 'etcd-1') ?? assert.fail();
    // etcd refuses while a heartbeat is late.
    await until('etcd-1 out of the list', async () => {
      await scenario.tool.member(anchor).removeMember(id).catch((error: unknown) => { if (isEtcdError(error, 'Unhealthy')) throw error; });
      const {members: left} = await scenario.tool.members(anchor);
      return left.some((member) => member.id === id) ? new Missing('it is still there') : true;
    }, {seconds: 30});
    await until('etcd-1 to end', async () => {
      const etcd = (await scenario.pod('etcd-1'))?.status?.containerStatuses?.find(({name}) => name === 'etcd');
      return (etcd?.restartCount ?? 0) >= 1 ? true : new Missing(JSON.stringify(etcd?.state ?? {}));
    }, {seconds: 90});
    await untilServes(scenario, ['etcd-0', 'etcd-2']);
    const before = await containersOf(scenario, ['etcd-0', 'etcd-2']);
    const asked = Date.now();
    await applyRecovery(scenario, {strategy});
    const {status} = await untilComplete(scenario, 'Recovered', {mayBlock: true});
    assert.deepEqual(status?.run?.replace?.removed, []);
    await replaced(scenario, status, {lost: ['etcd-1'], before, asked});
  }, {minutes: 8});

  e2e('nothing proves that it is gone: MemberMayReturn, nothing is touched, and NotNeeded once it is back', async (scenario) => {
    await scenario.addNodes(3);
    await scenario.startEtcd();
    await scenario.startWriter();
    const [node = ''] = await endNodesOf(scenario, ['etcd-2']);
    await untilNotReady(scenario, [node]);
    await untilServes(scenario, ['etcd-0', 'etcd-1']);
    const before = await fingerprint(scenario);
    await applyRecovery(scenario, {strategy});
    const {status} = await untilReady(scenario, 'MemberMayReturn');
    assert.equal(status?.phase, 'Blocked');
    assert.match(conditionOf(status, 'Ready')?.message ?? '', /etcd-2 .*NotReady.*spec\.lostMembers/);
    await holds('nothing is touched', 8, async () => {
      await untouched(scenario, before);
      const {members} = await scenario.tool.members(await scenario.member('etcd-0'));
      return members.length === 3 ? undefined : `${members.length} members in the list`;
    });
    await labOf(scenario).startNode(node);
    await untilComplete(scenario, 'NotNeeded', {mayBlock: true});
    const report = await scenario.stopWriter();
    await setUnchanged(scenario);
    await whole(scenario);
    await nothingLeft(scenario);
    await dataThere(scenario, report.acks);
  }, {minutes: 8});
});

describe('Two of five members are gone for good, and a quorum serves', () => {
  e2e('the node of one is deleted, that of the other is off and its member named: both are replaced, one after the other', async (scenario) => {
    await scenario.addNodes(7);
    await scenario.startEtcd({replicas: 5});
    await scenario.startWriter();
    const lost = ['etcd-1', 'etcd-3'];
    const stayed = podNames(5).filter((pod) => !lost.includes(pod));
    const {members} = await scenario.tool.members(await scenario.member('etcd-0'));
    const [first = '', second = ''] = await endNodesOf(scenario, lost);
    await deleteNodes(scenario, [first]);
    await untilNotReady(scenario, [second]);
    await untilServes(scenario, stayed);
    const before = await containersOf(scenario, stayed);
    const asked = Date.now();
    await applyRecovery(scenario, {strategy});
    await untilReady(scenario, 'MemberMayReturn');
    assert.equal((await scenario.tool.members(await scenario.member('etcd-0'))).members.length, 5, 'one was removed while the other may return');
    await changeRecovery(scenario, {lostMembers: [{pod: 'etcd-3', memberID: members.find(({name}) => name === 'etcd-3')?.id ?? ''}]});
    const {status} = await untilComplete(scenario, 'Recovered', {mayBlock: true, seconds: 240});
    assert.deepEqual(status?.run?.plan?.lost.map(({fenced}) => fenced), ['NodeDeleted', 'LostMembers']);
    const joins = status.run.steps.filter(({name}) => name.startsWith('Join '));
    const [one, other] = [...joins].sort((a, b) => ((a.startedAt ?? '') < (b.startedAt ?? '') ? -1 : 1));
    assert.ok((one?.finishedAt ?? '') <= (other?.startedAt ?? ''), 'one began to join before the other had');
    await replaced(scenario, status, {count: 5, lost, before, asked});
  }, {minutes: 10});
});
