import assert from 'node:assert/strict';
import {writeFileSync} from 'node:fs';
import {join} from 'node:path';
import type {RestoreCopyReport} from '../../../src/agent/report.ts';
import {fill, flagsOf, snapshotOf, succeed} from './volumes.ts';
import type {Volume} from './volumes.ts';

/** What the tests of `restore-copy` share. */

export const flags = (volume: Volume, ...more: string[]): string[] => [...flagsOf(volume, 'restore-copy'), ...more];
export const own = ({root}: Volume, ...path: string[]): string => join(root, '.quorumrecovery', 'r1', ...path);
export const walRun = ({root, walRoot}: Volume): string => join(walRoot ?? root, '.quorumrecovery', 'r1');

export function restore(volume: Volume, ...more: string[]): RestoreCopyReport {
  const report = succeed(...flags(volume, ...more));
  assert.ok(report.command === 'restore-copy');
  return report;
}

export type Files = Record<string, string | null>;

/** The trees of a member, or of its copy, without what a copy leaves out. */
export function trees(member: string, wal: string | undefined): Files[] {
  const of = (path: string): Files => Object.fromEntries(Object.entries(snapshotOf(path)).filter(([name]) => !name.endsWith('.tmp')));
  return [of(member), ...(wal === undefined ? [] : [of(wal)])];
}

export const live = ({data, wal}: Volume): Files[] => trees(join(data, 'member'), wal);
export const copied = (volume: Volume): Files[] => trees(own(volume, 'copy', 'member'), volume.wal === undefined ? undefined : own(volume, 'copy', 'wal'));

/** A member whose data was copied, and then changed by the etcd that was forced on it. */
export function changedSinceCopy(volume: Volume): {old: Files[]; changed: Files[]} {
  fill(volume);
  const old = live(volume);
  succeed(...flagsOf(volume, 'copy'));
  change(volume, 'after the force');
  return {old, changed: live(volume)};
}

export function change({data, wal}: Volume, text: string): void {
  writeFileSync(join(data, 'member', 'snap', 'db'), text);
  writeFileSync(join(data, 'member', 'snap', '0000000000000003-0000000000000009.snap'), text);
  writeFileSync(join(wal ?? join(data, 'member', 'wal'), '0000000000000001-0000000000000007.wal'), text);
}
