import assert from 'node:assert/strict';
import {join} from 'node:path';
import {readBackend} from '../../src/etcd/bolt/backend.ts';
import {readWal} from '../../src/etcd/wal/wal.ts';
import {dataThere, nothingLeft, setUnchanged, whole} from './checks.ts';
import type {EtcdOptions} from './etcd.ts';
import {others} from './faults.ts';
import {gateContainer, openGates, powerFailure} from './power-failure.ts';
import {changeRecovery, recovery, untilComplete, untilReady} from './recovery.ts';
import {seedCount} from './scenario.ts';
import type {Scenario} from './scenario.ts';
import type {WriterReport} from './tool-protocol.ts';
import {Missing, until} from './wait.ts';

/* What the cases of a restore from a member's own database have in common. */

/** The member that is left. */
export const survivor = 'etcd-0';
/** An etcd whose force is not clean. */
export const notForced = 'localhost/etcd:3.5.21';

export interface Disk {
  /** The last log entry in the database, its revision, and the last entry of the log, as they were when the power failed. */
  index: number;
  revision: number;
  logIndex: number;
}

/** The power fails while a writer is at work: what was written last is in the log, and not in the database yet. */
export async function killed(scenario: Scenario, etcd: EtcdOptions, change: (wal: string) => void = () => undefined): Promise<{disk: Disk; before: WriterReport}> {
  await scenario.addNodes(5);
  await scenario.startEtcd({...etcd, initContainers: [gateContainer]});
  await scenario.startWriter();
  await until('some writes', async () => ((await scenario.writerReport()).acks.length > 200 ? true : undefined));
  const disks: Disk[] = [];
  await powerFailure(scenario, [survivor], others(survivor), (_, wal) => {
    const {consistentIndex: index, revision} = readBackend(join(wal, '..', 'member', 'snap', 'db'));
    disks.push({index, revision, logIndex: readWal(wal)?.index ?? 0});
    change(wal);
  });
  const [disk] = disks;
  assert.ok(disk);
  return {disk, before: await scenario.stopWriter()};
}

/** Approves what the plan says, and waits for the end; the survivor's own pod may start once its data is in place. */
export async function approved(scenario: Scenario): Promise<NonNullable<Awaited<ReturnType<typeof recovery>>['status']>> {
  const {status: asked} = await untilReady(scenario, 'AwaitingApproval');
  await changeRecovery(scenario, {approval: 'Required', approvedPlan: asked?.run?.plan?.hash ?? ''});
  await until('the restored data in its place', async () => {
    const {status} = await recovery(scenario);
    return status?.run?.newCluster?.seeded.includes(survivor) === true ? true : new Missing(`phase ${status?.phase ?? ''}`);
  }, {seconds: 180});
  await openGates(scenario, [survivor]);
  const {status} = await untilComplete(scenario, 'Recovered');
  assert.ok(status);
  return status;
}

/** Every write that was in the database is there, no other of the old ones is, and the members are whole. */
export async function compared(scenario: Scenario, before: WriterReport, revision: number): Promise<void> {
  await setUnchanged(scenario);
  await whole(scenario);
  await nothingLeft(scenario);
  await dataThere(scenario, before.acks.filter((ack) => ack.revision <= revision));
  const lost = before.acks.filter((ack) => ack.revision > revision);
  const [first] = await scenario.members();
  assert.ok(first);
  const missing = await scenario.tool.compare(first, seedCount, lost, false);
  assert.equal(missing.length, lost.length, 'a write that is said to be lost is there');
  console.log(`      ${before.acks.length - lost.length} acknowledged writes are there, ${lost.length} after the database are lost, as was said`);
}
