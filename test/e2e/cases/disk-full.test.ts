import assert from 'node:assert/strict';
import {randomBytes} from 'node:crypto';
import {e2e} from '../case.ts';
import {recovered} from '../checks.ts';
import {directoryOf, labOf} from '../faults.ts';
import {loseQuorum} from '../loss.ts';
import {applyRecovery, conditionOf, untilComplete, untilReady} from '../recovery.ts';
import type {Scenario} from '../scenario.ts';
import {holds} from '../wait.ts';

const survivor = 'etcd-2';
const volumes = '/var/local';

/** Disks of their own, small ones: the lab's nodes share the machine's. And more data than the 64 MB that a stopped etcd gives back: it removes the next segment of its log, which it had made ahead. */
async function onSmallDisks(scenario: Scenario): Promise<void> {
  const lab = labOf(scenario);
  await Promise.all((await scenario.addNodes(4)).map(async (node) => await lab.onNode(node, `mount -t tmpfs -o size=1200m tmpfs ${volumes}`)));
  await scenario.startEtcd();
  const member = await scenario.member(survivor);
  const value = randomBytes(512 * 1024).toString('base64');
  for (let number = 0; number < 120; number += 1) await scenario.tool.put(member, `large/${number}`, value);
}

/** The names of the volume's files, their sizes and times, without what a run keeps there. */
async function listing(scenario: Scenario, node: string): Promise<string> {
  const data = `${volumes}/${await directoryOf(scenario, `data-${survivor}`)}`;
  return await labOf(scenario).onNode(node, `cd ${data} && find . -path ./.quorumrecovery -prune -o -type f -printf '%P %s %T@\\n' | sort`);
}

/** All but this much is taken, at once. */
const fill = (left: number): string => `fallocate -l $(( $(df --output=avail -B1 ${volumes} | tail -1) - ${left} )) ${volumes}/filler`;

/** As soon as the first file of the copy is there its agent is stopped, nearly all that is left is taken, and it goes on into the full disk. */
async function fillDuringCopy(scenario: Scenario, node: string): Promise<void> {
  const copy = `${volumes}/${await directoryOf(scenario, `data-${survivor}`)}/.quorumrecovery/*/copy.tmp/*`;
  // The pattern must not find the script itself.
  await labOf(scenario).onNode(node, `
    until compgen -G '${copy}' >/dev/null; do [ $SECONDS -lt 120 ]; done
    pkill -STOP -f '[a]gent/main.js'
    ${fill(64 << 10)}
    pkill -CONT -f '[a]gent/main.js'`);
}

/** It says that there is no room and how much is missing, and has changed nothing; and goes on once there is some. */
async function blockedUntilThereIsRoom(scenario: Scenario, node: string, words: RegExp): Promise<void> {
  const {status} = await untilReady(scenario, 'AgentFailed');
  assert.equal(status?.phase, 'Blocked');
  const message = conditionOf(status, 'Ready')?.message ?? '';
  for (const expected of [words, /Nothing was changed/]) assert.match(message, expected);
  const before = await listing(scenario, node);
  await holds('blocked with the data untouched', 5, async () => (await listing(scenario, node) === before ? undefined : 'the data was changed'));
  await labOf(scenario).onNode(node, `rm ${volumes}/filler`);
  await untilComplete(scenario, 'Recovered', {mayBlock: true});
}

describe('The survivor\'s volume has no room for a copy', () => {
  e2e('nothing is forced, the missing room is told, and the run goes on when there is some', async (scenario) => {
    await onSmallDisks(scenario);
    await scenario.startWriter();
    const node = await scenario.nodeOf(survivor);
    const loss = await loseQuorum(scenario, survivor);
    await labOf(scenario).onNode(node, fill(1 << 20));
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
