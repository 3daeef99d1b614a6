import {join} from 'node:path';
import {lossSeenBy, required} from '../e2e/checks.ts';
import type {Environment} from '../e2e/environment.ts';
import {setName} from '../e2e/etcd.ts';
import {loseNodesOf, untilNoLeader} from '../e2e/faults.ts';
import {untilComplete} from '../e2e/recovery.ts';
import {Scenario, manyKeys} from '../e2e/scenario.ts';
import {until} from '../e2e/wait.ts';
import type {Lab} from '../lab/lab.ts';
import {fill} from './fill.ts';
import {chooseVictims} from './loss.ts';
import type {Victims} from './loss.ts';
import {measured} from './measure.ts';
import type {Run, Side} from './results.ts';
import {runScript} from './script.ts';

const recoveryOf = (namespace: string): string =>
  JSON.stringify({apiVersion: 'quorumrecovery.io/v1alpha1', kind: 'QuorumRecovery', metadata: {name: setName, namespace}, spec: {target: {statefulSet: setName}}});

async function recoverBy(side: Side, lab: Lab, scenario: Scenario, victims: Victims): Promise<void> {
  if (side === 'runbook') {
    await runScript(lab, join(import.meta.dirname, 'runbook.sh'), [scenario.namespace, victims.survivor, ...victims.lost]);
  } else {
    await lab.kubectl(['apply', '-f', '-'], recoveryOf(scenario.namespace));
    await untilComplete(scenario, 'Recovered', {seconds: 600});
  }
}

/** One etcd from its birth over its loss to its recovery by one side, in a namespace and on nodes of its own. */
export async function trial(lab: Lab, environment: Environment, side: Side, options: {number: number; databaseMB: number}): Promise<Run> {
  const {number, databaseMB} = options;
  const scenario = new Scenario(environment, `bench-${side}-${number}`);
  try {
    await scenario.begin();
    await scenario.addNodes(5);
    await scenario.startEtcd({}, manyKeys);
    await fill(scenario, databaseMB);
    await scenario.startWriter();
    await until('the first writes', async () => ((await scenario.writerReport()).acks.length >= 100 ? true : undefined));
    const victims = await chooseVictims(scenario);
    await loseNodesOf(scenario, victims.lost);
    const loss = await lossSeenBy(scenario, victims.survivor);
    await untilNoLeader(scenario, victims.survivor);
    const {survivor, oldUIDs} = victims;
    const times = await measured(lab, {namespace: scenario.namespace, set: setName, through: [survivor], oldUIDs}, async () => { await recoverBy(side, lab, scenario, victims); });
    const expected = required(await scenario.stopWriter(), loss);
    const missing = new Set<string>();
    for (const member of await scenario.members()) {
      for (const key of await scenario.tool.compare(member, manyKeys, expected, true)) missing.add(key);
    }
    return {side, databaseMB, ...times, keysLost: missing.size};
  } finally {
    if (process.env['KEEP'] !== '1') await scenario.end();
  }
}
