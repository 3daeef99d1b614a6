import {spawn} from 'node:child_process';
import {randomBytes} from 'node:crypto';
import {once} from 'node:events';
import {dirname, join} from 'node:path';
import {lossSeenBy, required} from '../e2e/checks.ts';
import type {Environment} from '../e2e/environment.ts';
import {setName} from '../e2e/etcd.ts';
import {loseNodesOf, untilNoLeader} from '../e2e/faults.ts';
import {untilComplete} from '../e2e/recovery.ts';
import {Scenario, manyKeys} from '../e2e/scenario.ts';
import {until} from '../e2e/wait.ts';
import type {Lab} from '../lab/lab.ts';
import {chooseVictims} from './loss.ts';
import type {Victims} from './loss.ts';
import {startMeter} from './measure.ts';
import type {Run, Side} from './results.ts';

const fillBytes = 64 * 1024;

/** Adds incompressible values until the database file has the wanted size. */
async function fill(scenario: Scenario, megabytes: number): Promise<void> {
  const member = await scenario.member(`${setName}-0`);
  for (let number = 0; (await scenario.tool.status(member)).dbSizeBytes < megabytes * 1e6; number += 1) {
    const key = (index: number): string => `fill/${String(number * 8 + index).padStart(8, '0')}`;
    await Promise.all(Array.from({length: 8}, (_, index) => scenario.tool.put(member, key(index), randomBytes(fillBytes * 0.75).toString('base64'))));
  }
}

const recoveryOf = (namespace: string): string =>
  JSON.stringify({apiVersion: 'quorumrecovery.io/v1alpha1', kind: 'QuorumRecovery', metadata: {name: setName, namespace}, spec: {target: {statefulSet: setName}}});

/** Runs the script with the lab's kubectl; rejects with what it said. */
async function runbook(lab: Lab, namespace: string, {survivor, lost}: Victims): Promise<void> {
  const path = [lab.bin, dirname(process.execPath), process.env['PATH'] ?? ''].join(':');
  const child = spawn(join(import.meta.dirname, 'runbook.sh'), [namespace, survivor, ...lost], {
    env: {...process.env, PATH: path, KUBECONFIG: lab.kubeconfig}, stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => { said += chunk.toString(); });
  const [code] = await once(child, 'close') as [number | null];
  if (process.env['VERBOSE'] === '1') console.log(said);
  if (code !== 0) throw new Error(`the runbook ended with ${String(code)}:\n${said}`);
}

async function recoverBy(side: Side, lab: Lab, scenario: Scenario, victims: Victims): Promise<void> {
  if (side === 'runbook') {
    await runbook(lab, scenario.namespace, victims);
  } else {
    await lab.kubectl(['apply', '-f', '-'], recoveryOf(scenario.namespace));
    await untilComplete(scenario, 'Recovered', {seconds: 600});
  }
}

/** Times of one recovery, from its start, in seconds. */
async function measured(side: Side, lab: Lab, scenario: Scenario, victims: Victims): Promise<Pick<Run, 'writableSeconds' | 'redundantSeconds'>> {
  const {survivor, oldUIDs} = victims;
  const meter = startMeter(lab, {namespace: scenario.namespace, set: setName, survivor, oldUIDs});
  try {
    const startedAt = Date.now();
    await recoverBy(side, lab, scenario, victims);
    const seconds = (at: number): number => Math.round((at - startedAt) / 10) / 100;
    return {writableSeconds: seconds(await meter.writable), redundantSeconds: seconds(await meter.redundant)};
  } finally {
    meter.end();
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
    const times = await measured(side, lab, scenario, victims);
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
