import assert from 'node:assert/strict';
import {writeFileSync} from 'node:fs';
import {join} from 'node:path';
import type {QuorumRecovery} from '../../../src/api/types.ts';
import type {Finding} from '../../../src/cli/doctor/finding.ts';
import type {Report} from '../../../src/cli/report/model.ts';
import {e2e} from '../case.ts';
import type {Loss} from '../checks.ts';
import {fingerprint, nothingLeft, recovered, untouched} from '../checks.ts';
import {labOf, untilRunsAgain} from '../faults.ts';
import {loseQuorum} from '../loss.ts';
import {Plugin} from '../plugin.ts';
import {recovery, resourceName, untilPhase, untilReady} from '../recovery.ts';
import type {Scenario} from '../scenario.ts';
import {holds, Missing, until} from '../wait.ts';

const problemsIn = (json: string): string[] => (JSON.parse(json) as {findings: Finding[]}[]).flatMap(({findings}) =>
  findings.filter(({level}) => level === 'problem').map(({area, what}) => `${area}: ${what}`));

async function lose(scenario: Scenario, survivor: string): Promise<Loss> {
  await scenario.startWriter();
  return await loseQuorum(scenario, survivor);
}

/** A script reads the plan, approves it by its hash, and waits. */
async function approved(scenario: Scenario, plugin: Plugin): Promise<string> {
  await plugin.expect(10, 'wait', '--stop', '--timeout', '2m');
  const shown = await plugin.expect(10, 'plan');
  const hash = (JSON.parse(await plugin.expect(10, 'plan', '-o', 'json')) as {hash: string}).hash;
  assert.match(shown, new RegExp(`Hash +${hash} +waits for approval`));
  assert.match(shown, /NodeDeleted/);
  const before = await fingerprint(scenario);
  assert.match(await plugin.expect(3, 'approve', '--yes', '--hash', `sha256-${'0'.repeat(32)}`), /nothing was approved/);
  assert.match(await plugin.expect(3, 'approve', '--hash', hash), /Nobody can be asked/);
  await untouched(scenario, before);
  await plugin.expect(0, 'approve', '--yes', '--hash', hash);
  return hash;
}

async function reports(scenario: Scenario, plugin: Plugin, hash: string): Promise<void> {
  const report = JSON.parse(await plugin.expect(0, 'report', '-o', 'json')) as Report;
  assert.equal(report.outcome, 'Recovered');
  assert.equal(report.plan?.hash, hash);
  assert.ok(report.people.some(({what, source}) => what === `approved plan ${hash}` && source.startsWith('annotation')), JSON.stringify(report.people));
  assert.ok(report.people.some(({what, source}) => what.includes('spec.approvedPlan') && source === 'metadata.managedFields'), JSON.stringify(report.people));
  assert.ok(report.kept.some(({what}) => what.includes('before the force')), JSON.stringify(report.kept));
  assert.ok(report.moments.some(({kind}) => kind === 'event'), 'no Event of the operator is in the timeline');
  assert.notEqual(report.loss.verdict, 'NotTold');
  assert.match(await plugin.expect(0, 'report'), /^# Recovery of etcd/);
  const html = await plugin.expect(0, 'report', '-o', 'html');
  assert.match(html, /<svg /);
  writeFileSync(join(scenario.environment.output, 'report.html'), html);
}

describe('The kubectl plugin', () => {
  e2e('takes a person through a recovery: doctor, recover, plan, approve, wait, report', async (scenario) => {
    const survivor = 'etcd-1';
    const plugin = new Plugin(scenario);
    await scenario.addNodes(5);
    await scenario.startEtcd();
    assert.match((await plugin.kubectl('qr', 'version', '-n', scenario.namespace)).out, /operator +\S+ \(quorum-recovery-system/);
    assert.match((await plugin.kubectl('__complete', 'quorum-recovery', 'sta')).out, /^status\t/m);
    // On a crowded machine an operator can lose its lease, and is not Ready for a moment.
    await until('a doctor without complaints', async () => {
      const {code, out} = await plugin.run('doctor', '-o', 'json');
      const problems = problemsIn(out);
      return code === 0 && problems.length === 0 ? true : new Missing(`exit code ${code}; ${problems.join('; ')}`);
    }, {seconds: 90});

    assert.match(await plugin.expect(3, 'recover', 'etcd'), /Nobody can be asked/);
    assert.match(await plugin.expect(0, 'recover', 'etcd', '--dry-run', '--approval', 'Required'), /approval: Required/);
    assert.equal(await scenario.kube.get('quorumrecoveries', scenario.namespace, resourceName), undefined, 'a dry run made it');
    await plugin.expect(0, 'recover', 'etcd', '--yes', '--approval', 'Required', '--wait', '--timeout', '1m');
    await plugin.expect(0, 'plan');
    await until('a fresh witness', async () => /saw the cluster whole/.test(await plugin.expect(0, 'doctor', 'etcd')) ? true : new Missing('the doctor sees none'), {seconds: 30});

    const loss = await lose(scenario, survivor);
    await plugin.expect(0, 'recover', 'etcd', '--yes');
    const hash = await approved(scenario, plugin);
    assert.match(await plugin.expect(0, 'wait', '--timeout', '3m'), /Complete/);
    await plugin.expect(0, 'plan');
    const status = await plugin.expect(0, 'status');
    assert.match(status, /Result +Recovered/);
    assert.equal((JSON.parse(await plugin.expect(0, 'status', '-o', 'json')) as QuorumRecovery).status?.run?.approved?.hash, hash);
    assert.match(await plugin.expect(0, 'status', '-A'), new RegExp(`${scenario.namespace} +etcd +etcd +Complete`));
    await reports(scenario, plugin, hash);
    await plugin.expect(0, 'pause');
    assert.equal((await recovery(scenario)).spec.paused, true);
    await plugin.expect(0, 'resume');
    assert.equal((await recovery(scenario)).spec.paused, false);
    await recovered(scenario, await scenario.stopWriter(), loss);
  }, {minutes: 8});

  e2e('lets held pods go where the operator is dead, and an operator that comes back leaves that run alone', async (scenario) => {
    const survivor = 'etcd-0';
    const plugin = new Plugin(scenario);
    await scenario.addNodes(5);
    await scenario.startEtcd({stopSeconds: 30});
    const loss = await lose(scenario, survivor);
    await plugin.expect(0, 'recover', 'etcd', '--yes');
    await untilPhase(scenario, ['Holding'], 180);
    await until('the survivor is being stopped', async () => {
      const pod = await scenario.pod(survivor);
      return pod?.metadata?.deletionTimestamp === undefined ? new Missing('it is not') : true;
    }, {seconds: 30, every: 20});
    assert.match(await plugin.expect(3, 'release', '--yes'), /an operator runs/);
    await scaleOperator(scenario, 0);
    try {
      assert.equal((await recovery(scenario)).status?.run?.force?.turnGiven, undefined, 'the hold was over too soon');
      assert.match(await plugin.expect(0, 'release', '--dry-run'), /etcd-0: /);
      assert.match(await plugin.expect(3, 'release'), /Nobody can be asked/);
      assert.ok(((await recovery(scenario)).status?.heldPods ?? []).length > 0, 'it let go what nobody confirmed');
      assert.match(await plugin.expect(0, 'release', '--yes'), /Released\./);
      await nothingLeft(scenario);
      await untilRunsAgain(scenario, survivor);
      assert.match(await plugin.expect(0, 'release', '--yes'), /nothing to release/);
    } finally {
      await scaleOperator(scenario, 2);
    }
    const ended = await untilReady(scenario, 'Released');
    await holds('the operator leaves the run alone', 8, async () => {
      const {status} = await recovery(scenario);
      return status?.run?.id === ended.status?.run?.id && (status?.heldPods ?? []).length === 0 ? undefined : JSON.stringify(status?.run?.steps);
    });
    assert.match(await plugin.expect(0, 'report'), /let the run go by hand/);
    await plugin.expect(0, 'recover', 'etcd', '--yes', '--wait', '--timeout', '4m');
    assert.equal((await recovery(scenario)).status?.run?.identity?.members.length, 3, 'the membership that the run began with was another one');
    await recovered(scenario, await scenario.stopWriter(), loss);
  }, {ownOperator: true, minutes: 10, extended: true});
});

async function scaleOperator(scenario: Scenario, replicas: number): Promise<void> {
  const namespace = scenario.environment.operatorNamespace ?? '';
  await labOf(scenario).kubectl(['-n', namespace, 'scale', 'deployment', '-l', 'app.kubernetes.io/name=quorum-recovery-operator', `--replicas=${replicas}`]);
  // Dead, and not ended in order: the hold does not wait for it.
  if (replicas === 0) for (const pod of await scenario.kube.list('pods', namespace)) await scenario.kube.delete('pods', namespace, pod.metadata?.name ?? '', 0);
  await until(`${replicas} operators`, async () => {
    const pods = await scenario.kube.list('pods', namespace);
    return pods.length === replicas && pods.every((pod) => pod.status?.conditions?.some(({type, status}) => type === 'Ready' && status === 'True')) ? true : new Missing(`${pods.length} pods`);
  }, {seconds: 120});
}
