import assert from 'node:assert/strict';
import {e2e} from '../case.ts';
import type {Loss} from '../checks.ts';
import {dataThere, fingerprint, lossSeenBy, nothingLeft, recovered, required, setUnchanged, untouched} from '../checks.ts';
import {deleteNodes, endNodesOf, labOf, untilNotReady} from '../faults.ts';
import {applyRecovery, changeRecovery, conditionOf, untilComplete, untilReady} from '../recovery.ts';
import type {Scenario} from '../scenario.ts';
import {holds} from '../wait.ts';

/** Two nodes fall silent and nobody says that they are gone: it stays blocked, and what still runs is not touched. */
async function blocked(scenario: Scenario): Promise<{nodes: string[]; loss: Loss}> {
  await scenario.addNodes(5);
  await scenario.startEtcd();
  await scenario.startWriter();
  const nodes = await endNodesOf(scenario, ['etcd-1', 'etcd-2']);
  const loss = await lossSeenBy(scenario, 'etcd-0');
  await untilNotReady(scenario, nodes);
  const before = await fingerprint(scenario);
  await applyRecovery(scenario);
  const {status} = await untilReady(scenario, 'FencingUnproven');
  assert.equal(status?.phase, 'Blocked');
  const message = conditionOf(status, 'Ready')?.message ?? '';
  assert.match(message, /etcd-1/);
  assert.match(message, /lostMembers/, 'the message names no way out');
  assert.deepEqual(status.heldPods ?? [], []);
  await holds('blocked with nothing touched', 8, async () => {
    await untouched(scenario, before);
    return undefined;
  });
  return {nodes, loss};
}

describe('Two nodes are NotReady and nothing fences them', () => {
  e2e('it is Blocked with FencingUnproven, and goes on when lostMembers names them', async (scenario) => {
    const {loss} = await blocked(scenario);
    const {members} = await scenario.tool.members(await scenario.member('etcd-0'), {linearizable: false});
    const lostMembers = members.filter((member) => member.name !== 'etcd-0').map(({name, id}) => ({pod: name, memberID: id}));
    await changeRecovery(scenario, {lostMembers});
    const {status} = await untilComplete(scenario, 'Recovered', {mayBlock: true});
    assert.equal(status?.quorum?.summary, '3/3', 'the end was told with numbers from before');
    await recovered(scenario, await scenario.stopWriter(), loss);
  });

  e2e('it goes on when their Node objects are deleted', async (scenario) => {
    const {nodes, loss} = await blocked(scenario);
    await deleteNodes(scenario, nodes);
    await untilComplete(scenario, 'Recovered', {mayBlock: true});
    await recovered(scenario, await scenario.stopWriter(), loss);
  }, {extended: true});

  e2e('it ends with NotNeeded when the nodes come back', async (scenario) => {
    const {nodes, loss} = await blocked(scenario);
    await Promise.all(nodes.map(async (node) => { await labOf(scenario).startNode(node); }));
    const {status} = await untilComplete(scenario, 'NotNeeded', {mayBlock: true});
    assert.equal(status?.run?.force, undefined);
    await scenario.healthy(3);
    const report = await scenario.stopWriter();
    await setUnchanged(scenario);
    await nothingLeft(scenario);
    // Nothing was forced, so that nothing at all may be missing.
    await dataThere(scenario, report.acks);
    assert.ok(required(report, loss).length > 0);
  });
});
