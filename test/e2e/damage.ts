import assert from 'node:assert/strict';
import {closeSync, fsyncSync, openSync, writeSync} from 'node:fs';
import {join} from 'node:path';
import {readWal} from '../../src/etcd/wal/wal.ts';
import {directoryOf, labOf} from './faults.ts';
import type {Scenario} from './scenario.ts';

/** Where the WAL of a member is on this machine, whose etcd may run. */
export async function walOf(scenario: Scenario, pod: string): Promise<string> {
  return join(labOf(scenario).disk(await scenario.nodeOf(pod)), await directoryOf(scenario, `data-${pod}`), 'wal');
}

/** Some bytes in the middle of the log are others: what a medium does that fails. */
export function damageLog(wal: string): void {
  const {segment, offset} = readWal(wal)?.end.position ?? {segment: '', offset: 0};
  const file = openSync(join(wal, segment), 'r+');
  writeSync(file, Buffer.alloc(512, 7), 0, 512, Math.floor(offset / 2));
  fsyncSync(file);
  closeSync(file);
  assert.equal(readWal(wal)?.end.kind, 'corrupt');
}
