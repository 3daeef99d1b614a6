import assert from 'node:assert/strict';
import {closeSync, fsyncSync, ftruncateSync, openSync, statSync, writeSync} from 'node:fs';
import {join} from 'node:path';
import {setTimeout as delay} from 'node:timers/promises';
import {decodeEntry, recordType} from '../../../src/etcd/wal/messages.ts';
import {readWal} from '../../../src/etcd/wal/wal.ts';
import type {WalSummary} from '../../../src/etcd/wal/wal.ts';
import {readRecords} from '../../../src/etcd/wal/records.ts';
import {openSegment, segmentNames} from '../../../src/etcd/wal/segments.ts';
import {field, frame, slowCrc32c} from '../../unit/etcd/wal/writer.ts';
import {e2e} from '../case.ts';
import {dataThere, nothingLeft, setUnchanged, whole} from '../checks.ts';
import {gateContainer, openGates, powerFailure} from '../power-failure.ts';
import {applyRecovery, recovery, untilComplete} from '../recovery.ts';
import {Missing, until} from '../wait.ts';

function summaryOf(wal: string): WalSummary {
  const found = readWal(wal);
  assert.equal(found?.end.kind, 'complete');
  return found;
}

/** Where the record of this entry ends, and the data of the entries after it. */
function entriesAfter(wal: string, index: number): {end: number; later: Buffer[]} {
  const segments = segmentNames(wal).map((name) => openSegment(wal, name));
  try {
    let end = 0;
    const later: Buffer[] = [];
    for (const record of readRecords(segments)) {
      if (record.type !== recordType.entry) continue;
      if (decodeEntry(record.data).index <= index) end = record.end;
      else later.push(Buffer.from(record.data));
    }
    return {end, later};
  } finally {
    for (const segment of segments) segment.close();
  }
}

/**
 * What is left of a member that was elected and lost its power before anybody answered. It has all its entries, but its word that this one
 * is committed was not synced yet, which etcd never does for a hard state that says nothing else; and its new term's own entry is in its log.
 */
function electedAndLost(wal: string, committed: number): WalSummary {
  const path = join(wal, segmentNames(wal).at(-1) ?? '');
  const {size} = statSync(path);
  const {end: cut, later} = entriesAfter(wal, committed);
  const file = openSync(path, 'r+');
  try {
    ftruncateSync(file, cut);
    ftruncateSync(file, size);
    const {end, index, lastEntryTerm, metadata, hardState} = summaryOf(wal);
    assert.ok(index === committed && hardState.commit < committed, `commit ${hardState.commit}, index ${index}, of ${committed}`);
    const term = Math.max(lastEntryTerm, ...later.map((data) => decodeEntry(data).term)) + 1;
    const entry = Buffer.concat([field(1, 0), field(2, term), field(3, index + later.length + 1)]);
    const state = Buffer.concat([field(1, term), field(2, BigInt(`0x${metadata?.memberID ?? '0'}`)), field(3, hardState.commit)]);
    let {crc} = end;
    const frames = [...[...later, entry].map((data) => [recordType.entry, data] as const), [recordType.state, state] as const].map(([type, data]) => {
      crc = slowCrc32c(crc, data);
      return frame(type, data, crc);
    });
    const records = Buffer.concat(frames);
    writeSync(file, records, 0, records.length, end.position.offset);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  return summaryOf(wal);
}

describe('Of two members that are left of five, one knows more as committed and the other has the later term', () => {
  e2e('the cluster starts from the later term, which has all that the other knows, and loses nothing', async (scenario) => {
    const survivors = ['etcd-0', 'etcd-3'];
    await scenario.addNodes(7);
    await scenario.startEtcd({replicas: 5, initContainers: [gateContainer]});
    await scenario.startWriter();
    await until('some writes', async () => ((await scenario.writerReport()).acks.length > 100 ? true : undefined));
    const {acks} = await scenario.stopWriter();
    // Every member hears that the last write is committed.
    await until('one revision on all members', async () => {
      const revisions = await Promise.all(survivors.map(async (pod) => (await scenario.etcdStatus(pod)).revision));
      return new Set(revisions).size === 1 ? true : new Missing(revisions.join(' and '));
    });
    await delay(1_000);
    const logs = new Map<string, WalSummary>();
    await powerFailure(scenario, survivors, ['etcd-1', 'etcd-2', 'etcd-4'], (pod, wal) => {
      const known = logs.get('etcd-0')?.hardState.commit;
      logs.set(pod, known === undefined ? summaryOf(wal) : electedAndLost(wal, known));
    });
    const [lower, later] = [logs.get('etcd-0'), logs.get('etcd-3')];
    assert.ok(lower && later);
    assert.ok(later.lastEntryTerm > lower.lastEntryTerm && later.hardState.commit < lower.hardState.commit && later.index > lower.hardState.commit);
    await applyRecovery(scenario);
    await until('the forced start', async () => {
      const {status} = await recovery(scenario);
      return status?.run?.force?.podUID === undefined ? new Missing(`phase ${status?.phase ?? ''}`) : true;
    }, {seconds: 120});
    await openGates(scenario, survivors);
    const {status} = await untilComplete(scenario, 'Recovered');
    const {plan, offline = []} = status?.run ?? {};
    assert.equal(plan?.survivor, 'etcd-3');
    const read = (pod: string) => offline.filter((facts) => facts.pod === pod).map(({term, index, commit}) => ({term, index, commit}));
    for (const [pod, {lastEntryTerm: term, index, hardState: {commit}}] of logs) assert.deepEqual(read(pod), [{term, index, commit}], pod);
    assert.equal(status?.dataLoss?.discardedEntries, 0);
    await setUnchanged(scenario);
    await whole(scenario, 5);
    await nothingLeft(scenario);
    await dataThere(scenario, acks);
  }, {minutes: 9, extended: true});
});
