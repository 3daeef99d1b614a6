import {join} from 'node:path';
import {required} from '../../e2e/checks.ts';
import type {Environment} from '../../e2e/environment.ts';
import {setName} from '../../e2e/etcd.ts';
import {loseNodesOf, podNames} from '../../e2e/faults.ts';
import {applyRecovery, changeRecovery, conditionOf, recovery, standing, untilComplete, untilWitness} from '../../e2e/recovery.ts';
import {Scenario, manyKeys} from '../../e2e/scenario.ts';
import {storeClaim, withStore} from '../../e2e/snapshots.ts';
import {Missing, until} from '../../e2e/wait.ts';
import type {Lab} from '../../lab/lab.ts';
import {fill} from '../fill.ts';
import {measured, secondsBetween} from '../measure.ts';
import type {Run, Side} from '../results.ts';
import {runScript} from '../script.ts';

const snapshot = 'newest.db';
const request = 'no data is left';
/** Larger than those of the other bench: what is measured is bytes, and a GiB in large values is written in a fraction of the time. */
const valueBytes = 512 * 1024;
const quotaBytes = 8 * 2 ** 30;
/** For one restore, s: far beyond what one takes. */
const restoredWithin = 1_800;

/** More writes than there are now were acknowledged. */
async function moreWrites(scenario: Scenario, count: number): Promise<void> {
  const before = (await scenario.writerReport()).acks.length;
  await until(`${count} more acknowledged writes`, async () => ((await scenario.writerReport()).acks.length >= before + count ? true : undefined));
}

/** Asks for a restore, and approves the plan as soon as it stands. @returns how long it took to stand, s */
async function restoreByOperator(scenario: Scenario): Promise<number> {
  const askedAt = Date.now();
  await changeRecovery(scenario, {trigger: {request}});
  const hash = await until('the plan', async () => {
    const {status} = await recovery(scenario);
    const isAsked = status?.run?.request === request && conditionOf(status, 'Ready')?.reason === 'AwaitingApproval';
    return isAsked ? status.run?.plan?.hash : new Missing(standing(status));
  }, {seconds: restoredWithin, every: 50});
  await changeRecovery(scenario, {approval: 'Required', approvedPlan: hash});
  const plannedSeconds = secondsBetween(askedAt, Date.now());
  await untilComplete(scenario, 'Recovered', {request, seconds: restoredWithin});
  return plannedSeconds;
}

/** Every node goes for good, with its disks, and as many new ones come. @returns when the last of the old ones was gone */
async function loseEverything(lab: Lab, scenario: Scenario): Promise<number> {
  const nodes = await loseNodesOf(scenario, podNames());
  const at = Date.now();
  for (const node of nodes) await lab.removeNode(node);
  await scenario.addNodes(nodes.length);
  return at;
}

/** One etcd from its birth over the loss of all of its nodes to its restore by one side, in a namespace and on nodes of its own. */
export async function restoreTrial(lab: Lab, environment: Environment, side: Side, options: {number: number; databaseMB: number}): Promise<Run> {
  const {number, databaseMB} = options;
  const scenario = new Scenario(environment, `restore-${databaseMB}-${side}-${number}`);
  try {
    await scenario.begin();
    await scenario.addNodes(3);
    await scenario.startEtcd({quotaBytes}, manyKeys);
    await fill(scenario, databaseMB, databaseMB < 100 ? undefined : valueBytes);
    return await withStore(scenario, async (store) => {
      if (side === 'operator') {
        await applyRecovery(scenario, {snapshot: {claim: {name: storeClaim}}});
        await untilComplete(scenario, 'NotNeeded');
        await untilWitness(scenario);
      }
      await scenario.startWriter();
      await moreWrites(scenario, 100);
      const survivorRevision = await store.take(snapshot, `${setName}-1`);
      await moreWrites(scenario, 100);
      const oldUIDs = (await scenario.pods()).map(({metadata}) => metadata?.uid ?? '');
      const at = await loseEverything(lab, scenario);
      let plannedSeconds: number | undefined;
      const times = await measured(lab, {namespace: scenario.namespace, set: setName, through: podNames(), oldUIDs}, async () => {
        if (side === 'operator') plannedSeconds = await restoreByOperator(scenario);
        else await runScript(lab, join(import.meta.dirname, 'runbook.sh'), [scenario.namespace, setName, storeClaim, snapshot]);
      });
      const expected = required(await scenario.stopWriter(), {at, survivorRevision});
      const missing = new Set<string>();
      for (const member of await scenario.members()) {
        for (const key of await scenario.tool.compare(member, manyKeys, expected, true)) missing.add(key);
      }
      return {side, databaseMB, ...times, keysLost: missing.size, ...(plannedSeconds !== undefined && {plannedSeconds})};
    });
  } finally {
    if (process.env['KEEP'] !== '1') await scenario.end();
  }
}
