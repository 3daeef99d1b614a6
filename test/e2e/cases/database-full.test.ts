import assert from 'node:assert/strict';
import {e2e} from '../case.ts';
import {dataThere, fingerprint, nothingLeft} from '../checks.ts';
import {setName} from '../etcd.ts';
import {fillQuota, loseNodesOf, others, untilNoLeader} from '../faults.ts';
import {applyRecovery, untilComplete} from '../recovery.ts';

describe('A database that filled its quota before the quorum was lost', () => {
  e2e('is compacted before any client can write, and takes writes again', async (scenario) => {
    const survivor = `${setName}-0`;
    await scenario.addNodes(4);
    await scenario.startEtcd({quotaBytes: 16 << 20});
    await fillQuota(scenario, survivor);
    const {spec} = await fingerprint(scenario);
    await loseNodesOf(scenario, others(survivor));
    await untilNoLeader(scenario, survivor);
    await applyRecovery(scenario);
    const {status} = await untilComplete(scenario, 'Recovered');
    assert.ok(status?.run?.plan?.notes.some((note) => note.includes('NOSPACE')), `the plan does not tell of the alarm: ${status?.run?.plan?.notes.join('; ') ?? ''}`);
    await scenario.tool.put(await scenario.member(survivor), 'after', 'the recovery');
    assert.equal((await fingerprint(scenario)).spec, spec, 'the StatefulSet was changed');
    await nothingLeft(scenario);
    await dataThere(scenario, []);
  });
});
