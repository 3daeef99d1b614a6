import assert from 'node:assert/strict';
import {createHash} from 'node:crypto';
import {chmodSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, truncateSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {parseArguments} from '../../../src/agent/arguments.ts';
import {copyData} from '../../../src/agent/copying.ts';
import {Refusal} from '../../../src/agent/failure.ts';
import {locateData} from '../../../src/agent/place.ts';
import {killAt, newVolume, refuse, removeVolumes, snapshotOf, succeed, writeData} from './volumes.ts';
import type {CopyReport} from '../../../src/agent/report.ts';

function flags(root: string): string[] {
  return ['copy', '--root', root, '--data-dir', join(root, 'data'), '--run', 'r1'];
}

function copy(root: string, ...more: string[]): CopyReport {
  const report = succeed(...flags(root), ...more);
  assert.equal(report.command, 'copy');
  return report;
}

function withoutPipeline(files: Record<string, string | null>): Record<string, string | null> {
  return Object.fromEntries(Object.entries(files).filter(([path]) => !path.endsWith('.tmp')));
}

describe('agent copy', () => {
  afterEach(removeVolumes);

  it('keeps every file with size, content and mode, and a manifest of their hashes', () => {
    const root = newVolume();
    writeData(join(root, 'data'), {preallocate: 3 << 20});
    chmodSync(join(root, 'data', 'member', 'snap', 'db'), 0o640);
    const report = copy(root);
    assert.equal(report.already, false);
    assert.equal(report.path, '.quorumrecovery/r1/copy');
    assert.equal(report.files, 2);
    const target = join(root, report.path);
    assert.deepEqual(snapshotOf(join(target, 'member')), withoutPipeline(snapshotOf(join(root, 'data', 'member'))));
    assert.equal(statSync(join(target, 'member', 'snap', 'db')).mode & 0o777, 0o640);
    const text = readFileSync(join(target, 'manifest.json'), 'utf8');
    assert.equal(createHash('sha256').update(text).digest('hex'), report.manifestSHA256);
    const manifest = JSON.parse(text) as {files: {path: string; size: number; dataBytes: number; sha256: string}[]; skipped: string[]};
    assert.deepEqual(manifest.skipped, ['member/wal/0.tmp']);
    for (const file of manifest.files) {
      const bytes = readFileSync(join(target, file.path));
      assert.equal(bytes.length, file.size);
      assert.equal(createHash('sha256').update(bytes.subarray(0, file.dataBytes)).digest('hex'), file.sha256);
    }
  });

  it('does not store the preallocated end of a WAL segment', () => {
    const root = newVolume();
    writeData(join(root, 'data'), {preallocate: 16 << 20});
    const report = copy(root);
    const wal = join(root, report.path, 'member', 'wal');
    const stats = statSync(join(wal, readdirSync(wal)[0] ?? ''));
    assert.ok(stats.size > 16 << 20);
    assert.ok(report.reflinked > 0 || stats.blocks * 512 < 1 << 20, `${stats.blocks} blocks`);
    assert.ok(report.copiedBytes < 1 << 20);
  });

  it('finds a complete copy, verifies it, and does not replace it by the data of today', () => {
    const root = newVolume();
    writeData(join(root, 'data'));
    const first = copy(root);
    writeFileSync(join(root, 'data', 'member', 'snap', 'db'), 'changed since');
    const second = copy(root);
    assert.deepEqual(second, {...first, already: true, reflinked: 0});
  });

  it('refuses a copy that is not what its manifest says', () => {
    const root = newVolume();
    writeData(join(root, 'data'));
    const db = join(root, copy(root).path, 'member', 'snap', 'db');
    truncateSync(db, 100);
    const failure = refuse(...flags(root));
    assert.equal(failure.reason, 'CopyDamaged');
    assert.match(failure.message, /member\/snap\/db/);
  });

  it('copies a separate WAL directory too', () => {
    const root = newVolume();
    writeData(join(root, 'data'), {walDir: join(root, 'wal')});
    const report = copy(root, '--wal-dir', join(root, 'wal'));
    assert.deepEqual(snapshotOf(join(root, report.path, 'wal')), withoutPipeline(snapshotOf(join(root, 'wal'))));
  });

  it('is whole or not there, wherever it is killed, and whole after the next run', () => {
    const root = newVolume();
    writeData(join(root, 'data'));
    let step = 0;
    while (killAt(step, ...flags(root)) === undefined) {
      const names = readdirSync(root).includes('.quorumrecovery') ? readdirSync(join(root, '.quorumrecovery')) : [];
      assert.ok(!names.includes('r1') || !readdirSync(join(root, '.quorumrecovery', 'r1')).includes('copy'), `after step ${step}`);
      step++;
    }
    assert.ok(step > 3);
    assert.equal(copy(root).already, true);
    assert.deepEqual(readdirSync(join(root, '.quorumrecovery', 'r1')), ['copy']);
  });

  it('refuses where the space does not suffice, says how much is needed and free, and leaves nothing behind', () => {
    const root = newVolume();
    writeData(join(root, 'data'));
    const place = locateData(parseArguments(flags(root)));
    assert.throws(() => copyData(place, {free: () => 4_000_000}), (error: unknown) => {
      assert.ok(error instanceof Refusal);
      assert.equal(error.reason, 'NoSpace');
      assert.equal(error.details.freeBytes, 4_000_000);
      assert.ok((error.details.neededBytes ?? 0) > 4_000_000);
      return true;
    });
    assert.deepEqual(readdirSync(join(root, '.quorumrecovery', 'r1')), []);
  });

  it('does not count preallocated zeros as needed space', () => {
    const root = newVolume();
    writeData(join(root, 'data'), {preallocate: 16 << 20});
    const place = locateData(parseArguments(flags(root)));
    assert.equal(copyData(place, {free: () => 6 << 20}).already, false);
  });

  it('refuses where there is no data, a guard, or a link in the data', () => {
    const root = newVolume();
    mkdirSync(join(root, 'data'));
    assert.equal(refuse(...flags(root)).reason, 'NoData');
    writeData(join(root, 'data'));
    symlinkSync('/etc/hostname', join(root, 'data', 'member', 'snap', 'leak'));
    assert.equal(refuse(...flags(root)).reason, 'UnsafePath');
    const other = newVolume();
    succeed('set-aside', '--root', other, '--data-dir', other, '--run', 'r0');
    assert.equal(refuse('copy', '--root', other, '--data-dir', other, '--run', 'r1').reason, 'Guarded');
  });
});
