import assert from 'node:assert/strict';
import {closeSync, fsyncSync, ftruncateSync, openSync, writeSync} from 'node:fs';
import {join} from 'node:path';
import {readWal} from '../../../src/etcd/wal/wal.ts';
import type {WalSummary} from '../../../src/etcd/wal/wal.ts';
import {e2e} from '../case.ts';
import {dataThere, nothingLeft, setUnchanged, whole} from '../checks.ts';
import {gateContainer, openGates, powerFailure} from '../power-failure.ts';
import {applyRecovery, recovery, untilComplete} from '../recovery.ts';
import {Missing, until} from '../wait.ts';

const survivors = ['etcd-0', 'etcd-3'];

/** A record that was being written is cut off in its middle, and the file ends there, as after a power failure. */
function tear(directory: string): WalSummary {
  const before = readWal(directory);
  assert.ok(before);
  const {segment, offset} = before.end.position;
  const file = openSync(join(directory, segment), 'r+');
  const record = Buffer.alloc(28, 8);
  record.writeBigUInt64LE(104n);
  writeSync(file, record, 0, record.length, offset);
  ftruncateSync(file, offset + record.length);
  fsyncSync(file);
  closeSync(file);
  const torn = readWal(directory);
  assert.deepEqual([torn?.end.kind, torn?.index], ['torn', before.index]);
  return before;
}

describe('The logs of both members that are left are torn', () => {
  e2e('the cluster starts from the longer one, up to its last whole record', async (scenario) => {
    await scenario.addNodes(7);
    await scenario.startEtcd({replicas: 5, initContainers: [gateContainer]});
    await scenario.startWriter();
    await until('some writes', async () => ((await scenario.writerReport()).acks.length > 200 ? true : undefined));
    const logs = new Map<string, WalSummary>();
    await powerFailure(scenario, survivors, ['etcd-1', 'etcd-2', 'etcd-4'], (pod, wal) => { logs.set(pod, tear(wal)); });
    const before = await scenario.stopWriter();
    await applyRecovery(scenario);
    await until('the forced start', async () => {
      const {status} = await recovery(scenario);
      return status?.run?.force?.podUID === undefined ? new Missing(`phase ${status?.phase ?? ''}`) : true;
    }, {seconds: 120});
    await openGates(scenario, survivors);
    const {status} = await untilComplete(scenario, 'Recovered');
    const [best] = [...logs].sort(([, a], [, b]) => b.lastEntryTerm - a.lastEntryTerm || b.index - a.index);
    assert.ok(best);
    const {plan, offline = []} = status?.run ?? {};
    const read = offline.find((facts) => facts.pod === plan?.survivor);
    assert.deepEqual([read?.term, read?.index], [best[1].lastEntryTerm, best[1].index], 'the survivor has not the longest log');
    assert.equal(status?.dataLoss?.discardedEntries, 0);
    await setUnchanged(scenario);
    await whole(scenario, 5);
    await nothingLeft(scenario);
    const revision = status.dataLoss.survivorRevision ?? 0;
    assert.ok(revision > 200, `revision ${revision}`);
    // Each acknowledged write was on three disks at least. Those that neither of the two had are lost, and no others.
    await dataThere(scenario, before.acks.filter((ack) => ack.revision <= revision));
    const missing = before.acks.filter((ack) => ack.revision > revision);
    assert.ok(missing.length < 20, `${missing.length} acknowledged writes are on neither disk`);
  }, {minutes: 9, extended: true});
});
