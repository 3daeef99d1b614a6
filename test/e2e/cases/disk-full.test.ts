import assert from 'node:assert/strict';
import {randomBytes} from 'node:crypto';
import {e2e} from '../case.ts';
import {lossSeenBy, recovered} from '../checks.ts';
import {directoryOf, labOf, loseNodesOf, others, untilNoLeader} from '../faults.ts';
import {applyRecovery, conditionOf, untilComplete, untilReady} from '../recovery.ts';
import {holds} from '../wait.ts';

const survivor = 'etcd-2';
const volumes = '/var/local';

describe('The survivor\'s volume has no room for a copy', () => {
  e2e('nothing is forced, the missing room is told, and the run goes on when there is some', async (scenario) => {
    const lab = labOf(scenario);
    // Disks of their own, small ones: the lab's nodes share the machine's.
    await Promise.all((await scenario.addNodes(5)).map(async (node) => await lab.onNode(node, `mount -t tmpfs -o size=1200m tmpfs ${volumes}`)));
    await scenario.startEtcd();
    // More than the 64 MB that a stopped etcd gives back: it removes the next segment of its log, which it had made ahead.
    const member = await scenario.member(survivor);
    const value = randomBytes(512 * 1024).toString('base64');
    for (let number = 0; number < 120; number += 1) await scenario.tool.put(member, `large/${number}`, value);
    await scenario.startWriter();
    const node = await scenario.nodeOf(survivor);
    await loseNodesOf(scenario, others(survivor));
    const loss = await lossSeenBy(scenario, survivor);
    await untilNoLeader(scenario, survivor);
    await lab.onNode(node, `head -c $(( $(df --output=avail -B1 ${volumes} | tail -1) - (1 << 20) )) /dev/zero >${volumes}/filler`);
    const data = `${volumes}/${await directoryOf(scenario, `data-${survivor}`)}`;
    const listing = async (): Promise<string> => await lab.onNode(node, `cd ${data} && find . -path ./.quorumrecovery -prune -o -type f -printf '%P %s %T@\\n' | sort`);
    await applyRecovery(scenario);
    const {status} = await untilReady(scenario, 'AgentFailed');
    assert.equal(status?.phase, 'Blocked');
    assert.match(conditionOf(status, 'Ready')?.message ?? '', /NoSpace.*\d+ (MB|MiB|bytes)/);
    assert.match(conditionOf(status, 'Ready')?.message ?? '', /Nothing was changed/);
    const before = await listing();
    await holds('blocked with the data untouched', 5, async () => (await listing() === before ? undefined : 'the data was changed'));
    await lab.onNode(node, `rm ${volumes}/filler`);
    await untilComplete(scenario, 'Recovered', {mayBlock: true});
    await recovered(scenario, await scenario.stopWriter(), loss);
  }, {minutes: 8});
});
