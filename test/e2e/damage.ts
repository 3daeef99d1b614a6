import assert from 'node:assert/strict';
import {closeSync, fsyncSync, openSync, readdirSync, rmSync, statSync, writeSync} from 'node:fs';
import {join} from 'node:path';
import {segmentNames} from '../../src/etcd/wal/segments.ts';
import {readWal} from '../../src/etcd/wal/wal.ts';
import {directoryOf, labOf, signalPod} from './faults.ts';
import type {Scenario} from './scenario.ts';

/** Where the WAL of a member is on this machine, whose etcd may run. */
export async function walOf(scenario: Scenario, pod: string): Promise<string> {
  return join(labOf(scenario).disk(await scenario.nodeOf(pod)), await directoryOf(scenario, `data-${pod}`), 'wal');
}

function overwrite(file: string, offset: number): void {
  const fd = openSync(file, 'r+');
  writeSync(fd, Buffer.alloc(512, 7), 0, 512, offset);
  fsyncSync(fd);
  closeSync(fd);
}

/** Some bytes in the middle of the log are others: what a medium does that fails. */
export function damageLog(wal: string): void {
  const {segment, offset} = readWal(wal)?.end.position ?? {segment: '', offset: 0};
  overwrite(join(wal, segment), Math.floor(offset / 2));
  assert.equal(readWal(wal)?.end.kind, 'corrupt');
}

/** The same where the log begins: the record that says whose it is is among them, and stands nowhere else. */
export function damageLogStart(wal: string): void {
  const names = segmentNames(wal);
  assert.equal(names.length, 1, 'each segment says whose it is');
  overwrite(join(wal, names[0] ?? ''), 0);
  const {end, metadata} = readWal(wal) ?? {};
  assert.deepEqual([end?.kind, metadata], ['corrupt', undefined]);
}

/** Every file of the log is gone. */
export function loseLog(wal: string): void {
  for (const name of readdirSync(wal)) rmSync(join(wal, name));
  assert.equal(readWal(wal), undefined);
}

/** Every log and every database on this member's volume is overwritten where it begins, and its etcd killed: it never starts on that again. */
export async function corruptVolume(scenario: Scenario, pod: string): Promise<void> {
  const root = join(labOf(scenario).disk(await scenario.nodeOf(pod)), await directoryOf(scenario, `data-${pod}`));
  for (const name of readdirSync(root, {recursive: true, encoding: 'utf8'})) {
    if (!name.endsWith('.wal') && !name.endsWith('snap/db')) continue;
    const file = openSync(join(root, name), 'r+');
    const garbage = Buffer.alloc(Math.min(64 * 1024, statSync(join(root, name)).size), 0x5a);
    writeSync(file, garbage, 0, garbage.length, 0);
    fsyncSync(file);
    closeSync(file);
  }
  signalPod(await scenario.pod(pod), 'etcd', 'SIGKILL');
}
