import assert from 'node:assert/strict';
import {run} from '../../lab/shell.ts';
import {e2e} from '../case.ts';
import {nothingLeft, whole} from '../checks.ts';
import {labOf, loseNodesOf, others, untilNoLeader} from '../faults.ts';
import {applyRecovery, conditionOf, untilComplete, untilPhase, untilReady} from '../recovery.ts';
import type {Scenario} from '../scenario.ts';

const survivor = 'etcd-0';
const secretName = 'etcd-root';

const secretOf = (namespace: string, password: string) => ({metadata: {name: secretName, namespace}, stringData: {username: 'root', password}});

/** A user of the role root, and authentication enabled. */
async function enableAuth(scenario: Scenario, password: string): Promise<void> {
  const lab = labOf(scenario);
  const {address} = await scenario.member(survivor);
  for (const words of [['user', 'add', `root:${password}`], ['user', 'grant-role', 'root', 'root'], ['auth', 'enable']]) {
    const [program = '', ...args] = lab.command([`${lab.bin}/etcdctl`, `--endpoints=http://${address}:2379`, ...words]);
    await run(program, args);
  }
}

describe('What a run needs goes wrong in the middle of it', () => {
  e2e('a wrong password is said, with its field and its Secret, and the run goes on once it is right', async (scenario) => {
    await scenario.addNodes(5);
    await scenario.startEtcd({}, 1_000);
    await enableAuth(scenario, 'right');
    await scenario.kube.create('secrets', secretOf(scenario.namespace, 'wrong'));
    await loseNodesOf(scenario, others(survivor));
    await applyRecovery(scenario, {target: {auth: {secretName} as never}});
    const {status} = await untilReady(scenario, 'CredentialsRejected', 180);
    assert.match(conditionOf(status, 'Ready')?.message ?? '', new RegExp(`${scenario.namespace}/${secretName} \\(spec.target.auth\\)`));
    assert.equal(status?.run?.force?.turnGiven, true);
    await scenario.kube.patch('secrets', scenario.namespace, secretName, {stringData: {password: 'right'}});
    const ended = await untilComplete(scenario, 'Recovered', {mayBlock: true});
    assert.notEqual(ended.status?.run?.redundantAt, undefined);
    await nothingLeft(scenario);
  });

  e2e('the survivor\'s node goes while it serves alone: that is said, and the run goes on once it is back', async (scenario) => {
    const lab = labOf(scenario);
    await scenario.addNodes(5);
    await scenario.startEtcd();
    await loseNodesOf(scenario, others(survivor));
    await untilNoLeader(scenario, survivor);
    const node = await scenario.nodeOf(survivor);
    await applyRecovery(scenario);
    await untilPhase(scenario, ['Decommissioning', 'Rejoining']);
    await lab.endNode(node);
    const {status} = await untilReady(scenario, 'SurvivorNotServing');
    assert.match(conditionOf(status, 'Ready')?.message ?? '', new RegExp(`${node} of ${survivor} is NotReady. No member serves`));
    await lab.startNode(node);
    await untilComplete(scenario, 'Recovered', {seconds: 240, mayBlock: true, leaving: 'Degraded'});
    await whole(scenario);
    await nothingLeft(scenario);
  }, {minutes: 8});
});
