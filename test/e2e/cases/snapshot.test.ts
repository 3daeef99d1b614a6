import assert from 'node:assert/strict';
import {mkdtempSync, readFileSync, rmSync, statSync} from 'node:fs';
import {createHash} from 'node:crypto';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {run} from '../../lab/shell.ts';
import {e2e} from '../case.ts';
import {recovered} from '../checks.ts';
import type {EtcdOptions} from '../etcd.ts';
import {directoryOf, labOf} from '../faults.ts';
import {quorumLost} from '../loss.ts';
import {applyRecovery, untilComplete} from '../recovery.ts';
import type {SpecInput} from '../recovery.ts';
import {seedCount} from '../scenario.ts';
import type {Scenario} from '../scenario.ts';

/** What etcdutl says of a snapshot: it reads it whole, and checks it page by page. */
async function status(scenario: Scenario, file: string): Promise<{revision: number; totalSize: number}> {
  return JSON.parse(await run(join(labOf(scenario).bin, 'etcdutl'), ['snapshot', 'status', file, '-w', 'json'])) as {revision: number; totalSize: number};
}

async function snapshotted(scenario: Scenario, survivor: string, {etcd = {}, spec = {}}: {etcd?: EtcdOptions; spec?: SpecInput} = {}): Promise<void> {
  const loss = await quorumLost(scenario, {survivor, nodes: 5, etcd});
  const {revision} = await scenario.etcdStatus(survivor);
  await applyRecovery(scenario, spec);
  const ended = await untilComplete(scenario, 'Recovered');
  const [taken, ...more] = ended.status?.run?.snapshots ?? [];
  assert.deepEqual([taken?.pod, taken?.skipped, taken?.revision, more], [survivor, undefined, revision, []]);
  assert.equal(taken?.path, `.quorumrecovery/${ended.status?.run?.id ?? ''}/snapshot.db`);
  const file = join(labOf(scenario).disk(await scenario.nodeOf(survivor)), await directoryOf(scenario, `data-${survivor}`), taken.path);
  const bytes = readFileSync(file);
  assert.deepEqual([bytes.length, bytes.subarray(-32).toString('hex'), createHash('sha256').update(bytes.subarray(0, -32)).digest('hex')], [taken.bytes, taken.sha256, taken.sha256]);
  assert.equal((await status(scenario, file)).revision, revision);
  const scratch = mkdtempSync(join(tmpdir(), 'e2e-snapshot-'));
  try {
    await run(join(labOf(scenario).bin, 'etcdutl'), ['snapshot', 'restore', file, '--data-dir', join(scratch, 'restored')]);
    assert.ok(statSync(join(scratch, 'restored', 'member', 'snap', 'db')).size > 0);
    assert.equal((await status(scenario, join(scratch, 'restored', 'member', 'snap', 'db'))).revision, revision);
  } finally {
    rmSync(scratch, {recursive: true});
  }
  // What etcdutl read in the copy, once the survivor served: the same keys, with the tail that the force kept.
  const read = ended.status?.run?.offline?.find(({pod}) => pod === survivor)?.etcdutl;
  assert.ok((read?.keys ?? 0) >= seedCount && (read?.totalSize ?? 0) > 0 && /^[0-9a-f]+$/.test(read?.hash ?? ''), JSON.stringify(read));
  await recovered(scenario, await scenario.stopWriter(), loss);
}

describe('The member that still runs', () => {
  e2e('is snapshotted before it is stopped: etcdutl restores it, at the revision that the member had', async (scenario) => {
    await snapshotted(scenario, 'etcd-1');
  });
  e2e('is snapshotted over TLS with the client certificate that the spec names', async (scenario) => {
    await snapshotted(scenario, 'etcd-0', {etcd: {tlsSecret: 'etcd-tls'}, spec: {target: {tls: {secretName: 'etcd-client-tls'} as never}}});
  }, {extended: true});
});
