import assert from 'node:assert/strict';
import {e2e} from '../case.ts';
import {dataThere, nothingLeft, required, setUnchanged, whole} from '../checks.ts';
import {loseQuorum} from '../loss.ts';
import {killOperator, leader} from '../operator.ts';
import {applyRecovery, changeRecovery, conditionOf, recovery, standing} from '../recovery.ts';
import {Missing, until} from '../wait.ts';

/** Every phase that changes anything. With five voters two are left to choose from, so that each of them has something to do. */
const phases = ['Planning', 'Holding', 'Preserving', 'ForcingNewCluster', 'Decommissioning', 'Rejoining', 'Verifying'];

describe('The operator is killed with SIGKILL once in each phase', () => {
  e2e('the run ends as if nothing had happened', async (scenario) => {
    await scenario.addNodes(7);
    await scenario.startEtcd({replicas: 5});
    await scenario.startWriter();
    let current = await leader(scenario);
    const loss = await loseQuorum(scenario, 'etcd-0', ['etcd-1', 'etcd-3', 'etcd-4']);
    // With a question, whose disks are read for it, planning takes long enough to be seen.
    await applyRecovery(scenario, {approval: 'Required'});
    const killed: string[] = [];
    const ended = await until('the end of the run', async () => {
      const found = await recovery(scenario);
      const {status} = found;
      const phase = status?.phase ?? '';
      if (phase === 'AwaitingApproval') {
        const approvedPlan = status?.run?.plan?.hash;
        if (approvedPlan !== undefined && found.spec.approvedPlan !== approvedPlan) await changeRecovery(scenario, {approvedPlan});
        return undefined;
      }
      if (phases.includes(phase) && !killed.includes(phase)) {
        killOperator(current);
        killed.push(phase);
        const before = status?.run?.steps.map((step) => `${step.name} ${step.state} ${step.message ?? ''}`).join('; ');
        // The next kill has to hit whoever leads then, and it shows that it leads by going on.
        current = await until(`another step after the kill in ${phase}`, async () => {
          const now = await recovery(scenario);
          const steps = now.status?.run?.steps.map((step) => `${step.name} ${step.state} ${step.message ?? ''}`).join('; ');
          return steps === before && now.status?.run?.finishedAt === undefined ? undefined : await leader(scenario);
        }, {seconds: 150, every: 20});
        return undefined;
      }
      return conditionOf(status, 'Complete')?.status === 'True' ? found : new Missing(standing(status));
    }, {seconds: 720, every: 15});
    assert.deepEqual(killed, phases);
    assert.equal(conditionOf(ended.status, 'Complete')?.reason, 'Recovered');
    assert.equal(ended.status?.run?.attempt, 1, 'it took more than one run');
    const report = await scenario.stopWriter();
    await setUnchanged(scenario);
    await whole(scenario, 5);
    await nothingLeft(scenario);
    await dataThere(scenario, required(report, loss));
  }, {minutes: 15, ownOperator: true});
});
