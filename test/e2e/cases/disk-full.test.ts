import assert from 'node:assert/strict';
import {randomBytes} from 'node:crypto';
import {e2e} from '../case.ts';
import {recovered} from '../checks.ts';
import {directoryOf, labOf} from '../faults.ts';
import {loseQuorum} from '../loss.ts';
import {applyRecovery, conditionOf, untilComplete, untilReady} from '../recovery.ts';
import type {Scenario} from '../scenario.ts';
import {fillDisk, fillScript, listing, makeRoom, mountSmallDisks, volumes} from '../small-disks.ts';
import {holds} from '../wait.ts';

const survivor = 'etcd-2';

/** More data than the 64 MB that a stopped etcd gives back: it removes the next segment of its log, which it had made ahead. */
async function onSmallDisks(scenario: Scenario): Promise<void> {
  await mountSmallDisks(scenario, await scenario.addNodes(4), 1_200);
  await scenario.startEtcd();
  const member = await scenario.member(survivor);
  const value = randomBytes(512 * 1024).toString('base64');
  for (let number = 0; number < 120; number += 1) await scenario.tool.put(member, `large/${number}`, value);
}

/** As soon as the first file of the copy is there its agent is stopped, nearly all that is left is taken, and it goes on into the full disk. */
async function fillDuringCopy(scenario: Scenario, node: string): Promise<void> {
  const copy = `${volumes}/${await directoryOf(scenario, `data-${survivor}`)}/.quorumrecovery/*/copy.tmp/*`;
  // The pattern must not find the script itself.
  await labOf(scenario).onNode(node, `
    until compgen -G '${copy}' >/dev/null; do [ $SECONDS -lt 120 ]; done
    pkill -STOP -f '[a]gent/main.js'
    ${fillScript(64 << 10)}
    pkill -CONT -f '[a]gent/main.js'`);
}

/** It says that there is no room and how much is missing, and has changed nothing; and goes on once there is some. */
async function blockedUntilThereIsRoom(scenario: Scenario, node: string, words: RegExp): Promise<void> {
  const {status} = await untilReady(scenario, 'AgentFailed');
  assert.equal(status?.phase, 'Blocked');
  const message = conditionOf(status, 'Ready')?.message ?? '';
  for (const expected of [words, /Nothing was changed/]) assert.match(message, expected);
  const before = await listing(scenario, survivor, node);
  await holds('blocked with the data untouched', 5, async () => (await listing(scenario, survivor, node) === before ? undefined : 'the data was changed'));
  await makeRoom(scenario, node);
  await untilComplete(scenario, 'Recovered', {mayBlock: true});
}

describe('The survivor\'s volume has no room for a copy', () => {
  e2e('nothing is forced, the missing room is told, and the run goes on when there is some', async (scenario) => {
    await onSmallDisks(scenario);
    await scenario.startWriter();
    const node = await scenario.nodeOf(survivor);
    const loss = await loseQuorum(scenario, survivor);
    await fillDisk(scenario, node, 1 << 20);
    await applyRecovery(scenario);
    await blockedUntilThereIsRoom(scenario, node, /NoSpace.*\d+ (MB|MiB|bytes)/);
    await recovered(scenario, await scenario.stopWriter(), loss);
  }, {minutes: 8});

  e2e('it fills up while the copy is written: nothing is forced, no half of a copy stays, and the run goes on when there is room', async (scenario) => {
    await onSmallDisks(scenario);
    await scenario.startWriter();
    const node = await scenario.nodeOf(survivor);
    const loss = await loseQuorum(scenario, survivor);
    const filled = fillDuringCopy(scenario, node);
    await applyRecovery(scenario);
    await filled;
    await untilReady(scenario, 'AgentFailed');
    assert.equal(await labOf(scenario).onNode(node, `ls -d ${volumes}/*/.quorumrecovery/*/copy* 2>/dev/null || true`), '', 'a half of a copy stayed');
    await blockedUntilThereIsRoom(scenario, node, /NoSpace.*\d+ (MB|MiB|bytes)/);
    await recovered(scenario, await scenario.stopWriter(), loss);
  }, {minutes: 8, extended: true});
});
