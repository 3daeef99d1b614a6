import assert from 'node:assert/strict';
import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import {projectDirectory} from '../../lab/paths.ts';
import {run} from '../../lab/shell.ts';
import {e2e} from '../case.ts';
import type {Loss} from '../checks.ts';
import {recovered} from '../checks.ts';
import {labOf, untilRunsAgain} from '../faults.ts';
import {quorumLost} from '../loss.ts';
import {applyRecovery, recovery, resourceName, untilComplete, untilPhase} from '../recovery.ts';
import {ownRelease} from '../own-operator.ts';
import type {Scenario} from '../scenario.ts';
import {Missing, holds, until} from '../wait.ts';

const survivor = 'etcd-0';
const page = readFileSync(join(projectDirectory, 'docs', 'runbooks', 'operator-dead.md'), 'utf8');

/** The shell commands of one part of the runbook, word for word but for its placeholders. */
function commandsOf(scenario: Scenario, part: number, names: Record<string, string> = {}): string {
  const section = page.split(/^## /m).find((text) => text.startsWith(`${part}. `)) ?? '';
  const block = [...section.matchAll(/```sh\n(.*?)```/gs)].at(-1)?.[1] ?? '';
  assert.notEqual(block, '', `part ${part} has no commands`);
  const words: Record<string, string> = {NS: scenario.namespace, NAME: resourceName, ...names};
  return Object.entries(words).reduce((text, [word, value]) => text.replaceAll(new RegExp(`\\b${word}\\b`, 'g'), value), block)
    .replaceAll('quorum-recovery-system', scenario.environment.operatorNamespace ?? '').replaceAll('deployment/quorum-recovery-operator', `deployment/${ownRelease(scenario.namespace)}`);
}

/** As a person at a shell, with kubectl and nothing else. */
async function shell(scenario: Scenario, text: string): Promise<string> {
  const lab = labOf(scenario);
  const [program = '', ...args] = lab.command(['/bin/bash', '-ec', text]);
  return await run(program, args, {environment: {KUBECONFIG: lab.kubeconfig, PATH: `${lab.bin}:${process.env['PATH'] ?? ''}`}, directory: process.env['E2E_OUTPUT'] ?? '/tmp'});
}

async function operators(scenario: Scenario, replicas: number): Promise<void> {
  const namespace = scenario.environment.operatorNamespace ?? '';
  if (replicas > 0) await labOf(scenario).kubectl(['-n', namespace, 'scale', `deployment/${ownRelease(scenario.namespace)}`, `--replicas=${replicas}`]);
  await until(`${replicas} operators`, async () => {
    const pods = (await scenario.kube.list('pods', namespace)).filter((pod) => replicas === 0 || pod.status?.conditions?.some(({type, status}) => type === 'Ready' && status === 'True'));
    return pods.length === replicas ? true : new Missing(`${pods.length}`);
  }, {seconds: 90});
}

async function lost(scenario: Scenario): Promise<Loss> {
  return await quorumLost(scenario, {survivor, nodes: 5, etcd: {stopSeconds: 15}});
}

describe('The operator is dead for good', () => {
  e2e('before the force the runbook\'s own commands put everything back, and an operator that comes later recovers', async (scenario) => {
    const loss = await lost(scenario);
    await applyRecovery(scenario);
    await untilPhase(scenario, ['Holding']);
    await until('the survivor being stopped', async () => ((await scenario.pod(survivor))?.metadata?.deletionTimestamp !== undefined ? true : undefined), {seconds: 60, every: 20});
    try {
      await shell(scenario, commandsOf(scenario, 1));
      await operators(scenario, 0);
      const told = await shell(scenario, commandsOf(scenario, 2));
      assert.match(told, /heldPods=.*etcd-0/);
      assert.doesNotMatch(told, /turn=1/);
      await until('the end of the survivor\'s old pod', async () => {
        const pod = await scenario.pod(survivor);
        return pod?.status?.containerStatuses?.every((status) => status.state?.terminated !== undefined) === true ? true : undefined;
      }, {seconds: 60});
      const force = (await scenario.kube.list('pods', scenario.namespace)).find((pod) => pod.metadata?.labels?.['quorumrecovery.io/helper'] === 'Force')?.metadata?.name;
      const commands = commandsOf(scenario, 3, {'FORCE-POD': force ?? 'none'}).split('\n').filter((line) => force !== undefined || !line.includes(' none '))
        // Only the survivor has data within reach: the gates of the others stay.
        .filter((line) => !line.includes('schedulingGates')).join('\n');
      await shell(scenario, commands);
      await until('the end of the resource', async () => ((await scenario.kube.get('quorumrecoveries', scenario.namespace, resourceName)) === undefined ? true : undefined));
      await untilRunsAgain(scenario, survivor);
    } finally {
      await operators(scenario, 2);
    }
    await applyRecovery(scenario);
    await untilComplete(scenario, 'Recovered', {seconds: 240, mayBlock: true});
    await recovered(scenario, await scenario.stopWriter(), loss);
  }, {minutes: 12, ownOperator: true});

  e2e('once the survivor serves, held pods harm nobody without an operator, and the next one goes on', async (scenario) => {
    const loss = await lost(scenario);
    await applyRecovery(scenario);
    await untilPhase(scenario, ['Decommissioning', 'Rejoining']);
    try {
      await shell(scenario, commandsOf(scenario, 1));
      await operators(scenario, 0);
      const told = await shell(scenario, commandsOf(scenario, 2));
      assert.match(told, /writableAt=20/);
      await until('a write without an operator', async () => { await scenario.tool.put(await scenario.member(survivor), 'without/an/operator', 'written'); return true; }, {seconds: 30});
      const before = (await scenario.tool.members(await scenario.member(survivor))).members.length;
      await holds('nobody else starts', 15, async () => {
        const {members} = await scenario.tool.members(await scenario.member(survivor));
        return members.length === before ? undefined : `${members.length} members`;
      });
      assert.equal((await recovery(scenario)).status?.run?.finishedAt, undefined);
    } finally {
      await operators(scenario, 2);
    }
    await untilComplete(scenario, 'Recovered', {seconds: 240, mayBlock: true});
    await recovered(scenario, await scenario.stopWriter(), loss);
  }, {minutes: 12, ownOperator: true, extended: true});
});
