import assert from 'node:assert/strict';
import {spawnSync} from 'node:child_process';
import {readFileSync} from 'node:fs';
import {dirname, join, relative, resolve} from 'node:path';
import {fileURLToPath} from 'node:url';
import {fitReport} from '../../../src/agent/fit.ts';
import {reportLimitBytes} from '../../../src/agent/report.ts';
import type {AgentReport, PresentData} from '../../../src/agent/report.ts';
import {agent, newVolume, removeVolumes, succeed, writeData} from './volumes.ts';

const source = fileURLToPath(new URL('../../../src/', import.meta.url));
const entry = join(source, 'agent', 'main.ts');

describe('agent main', () => {
  afterEach(removeVolumes);

  it('writes one report to the termination message path and to stdout, and ends with 0, 1 or 2', () => {
    const root = newVolume();
    const file = join(newVolume(), 'termination-log');
    const run = (...argv: string[]): {status: number | null; report: AgentReport} => {
      const {status, stdout} = spawnSync(process.execPath, [entry, ...argv], {env: {AGENT_REPORT_PATH: file}, encoding: 'utf8'});
      assert.equal(stdout, `${readFileSync(file, 'utf8')}\n`);
      return {status, report: JSON.parse(stdout) as AgentReport};
    };
    const done = run('inspect', '--root', root, '--data-dir', root, '--run', 'r1');
    assert.equal(done.status, 0);
    assert.equal(done.report.ok, true);
    const failed = run('copy', '--root', root, '--data-dir', root, '--run', 'r1');
    assert.equal(failed.status, 1);
    assert.ok(!failed.report.ok && failed.report.reason === 'NoData' && failed.report.run === 'r1');
    const bad = run('set-aside', '--root', root);
    assert.equal(bad.status, 2);
    assert.ok(!bad.report.ok && bad.report.reason === 'BadUsage');
  });

  it('names the flag that makes no sense', () => {
    const root = newVolume();
    const cases: [string[], RegExp][] = [
      [[], /first argument must be one of inspect, copy/],
      [['explode'], /first argument/],
      [['inspect', '--run', 'r1', '--data-dir', root], /needs --root/],
      [['inspect', '--root', root, '--run', 'r1'], /needs --data-dir/],
      [['inspect', '--root', root, '--run', 'R_1', '--data-dir', root], /--run must be a DNS label/],
      [['inspect', '--root', root, '--run', '..', '--data-dir', root], /--run must be a DNS label/],
      [['inspect', '--root', 'x', '--run', 'r1', '--data-dir', root], /--root must be an absolute path/],
      [['inspect', '--root', '/', '--run', 'r1', '--data-dir', root], /--root must not be the whole file system/],
      [['inspect', '--root', root, '--run', 'r1', '--data-dir', root, '--pod', 'a'], /inspect has no flag --pod/],
      [['inspect', '--root', root, '--run', 'r1', '--data-dir', root, '--wal-root', root], /--wal-root needs --wal-dir/],
      [['inspect', '--root', root, '--run', 'r1', '--data-dir', root, '--nonsense'], /nonsense/],
      [['spend', '--root', root, '--run', 'r1', '--pod', 'a', '--attempt', '0'], /--attempt must be a number from 1/],
      [['spend', '--root', root, '--run', 'r1', '--pod', '../x', '--attempt', '1'], /--pod must be the UID of a pod/],
      [['prepare-join', '--root', root, '--run', 'r1', '--data-dir', root, '--member', '0xAB'], /--member must be a member ID/],
      [['inspect', '--root', root, '--run', 'r1', '--data-dir', root, '--no-commit-tail'], /inspect has no flag --commit-tail/],
      [['prepare-force', '--root', root, '--run', 'r1', '--data-dir', root, '--attempt', '1', '--pod', 'a', '--later-entry-term', '-1'], /later-entry-term/],
      [['prepare-force', '--root', root, '--run', 'r1', '--data-dir', root, '--attempt', '1', '--pod', 'a', '--later-entry-term', '1e3'], /--later-entry-term must be a raft term/],
      [['restore-copy', '--root', root, '--run', 'r1'], /restore-copy needs --data-dir/],
      [['restore-copy', '--root', root, '--run', 'r1', '--data-dir', root, '--attempt', '0'], /--attempt must be a number from 1/],
      [['restore-copy', '--root', root, '--run', 'r1', '--data-dir', root, '--copy'], /restore-copy has no flag --copy/],
      [['prune', '--root', root, '--run', 'r1'], /prune needs --data-dir/],
      [['prune', '--root', root, '--run', 'r1', '--data-dir', root, '--finished', 'r2,'], /--finished must be DNS labels with commas between them/],
      [['prune', '--root', root, '--run', 'r1', '--data-dir', root, '--finished', 'r2,../r3'], /--finished must be/],
      [['prune', '--root', root, '--run', 'r1', '--data-dir', root, '--finished', ''], /--finished must be/],
      [['seal', '--root', root, '--run', 'r1', '--finished', 'r2'], /seal has no flag --finished/],
      [['inspect', '--root', join(root, 'none'), '--run', 'r1', '--data-dir', join(root, 'none')], /is the volume mounted there/],
    ];
    for (const [argv, message] of cases) {
      const {report, exitCode} = agent(...argv);
      assert.equal(exitCode, 2, argv.join(' '));
      assert.match(report.ok ? '' : report.message, message);
    }
  });

  it('loads nothing but node\'s own modules and small files of this project', () => {
    const seen = new Set<string>();
    const visit = (file: string): void => {
      if (seen.has(file)) {
        return;
      }
      seen.add(file);
      for (const [, typeOnly, target] of readFileSync(file, 'utf8').matchAll(/^import (type )?[^;]*?from '([^']+)';/gms)) {
        if (typeOnly !== undefined || target === undefined || target.startsWith('node:')) {
          continue;
        }
        assert.match(target, /^\.\.?\//, `${relative(source, file)} imports ${target}`);
        visit(resolve(dirname(file), target));
      }
    };
    visit(entry);
    assert.ok(seen.size > 20);
    assert.deepEqual([...seen].map((file) => relative(source, file).split('/').slice(0, 2).join('/')).filter((path) => !path.startsWith('agent/')
      && path !== 'etcd/wal' && path !== 'etcd/bolt'), []);
  });
});

describe('fitReport', () => {
  afterEach(removeVolumes);

  function bigReport(members: number, changes: number): AgentReport & PresentData {
    const root = newVolume();
    writeData(root);
    const report = succeed('inspect', '--root', root, '--data-dir', root, '--run', 'r1');
    assert.ok(report.command === 'inspect' && report.data === 'Present' && !('error' in report.backend));
    const url = (name: string): string[] => [`https://${name}.etcd-headless.some-long-namespace.svc.cluster.local:2380`];
    report.backend.members = Array.from({length: members}, (_, number) => ({
      id: `8e9e05c5216469${number.toString(16).padStart(2, '0')}`, name: `etcd-${number}`,
      peerURLs: url(`etcd-${number}`), clientURLs: url(`etcd-${number}`), isLearner: false,
    }));
    report.backend.removed = Array.from({length: members}, (_, number) => `1e9e05c5216469${number}`);
    report.pendingConfChanges = Array.from({length: changes}, (_, number) =>
      ({index: number + 1, term: 1, type: 'AddNode' as const, memberID: 'ab', name: 'x', peerURLs: url('x')}));
    return report;
  }

  it('leaves a report that fits as it is', () => {
    const report = bigReport(3, 1);
    assert.deepEqual(JSON.parse(fitReport(report)), report);
  });

  it('drops client URLs first, and says so', () => {
    const report = bigReport(16, 0);
    const short = JSON.parse(fitReport(report)) as typeof report;
    assert.equal(short.truncated, true);
    assert.ok(!('error' in short.backend) && short.backend.members.length === 16);
    assert.ok(short.backend.members.every(({clientURLs, peerURLs}) => clientURLs === undefined && peerURLs.length === 1));
    assert.ok(short.backend.removed.length === 16);
  });

  it('never exceeds the limit, and keeps every member ID and index', () => {
    for (const [members, changes] of [[20, 0], [5, 100], [30, 300]] as const) {
      const report = bigReport(members, changes);
      const text = fitReport(report);
      assert.ok(Buffer.byteLength(text) <= reportLimitBytes, `${members} members, ${changes} changes: ${Buffer.byteLength(text)}`);
      const short = JSON.parse(text) as typeof report;
      assert.ok(!('error' in short.backend));
      assert.equal(short.backend.members.length, members);
      assert.equal(short.index, 6);
      assert.equal(short.pendingConfChanges.length + (short.pendingConfChangesOmitted ?? 0), changes);
    }
  });

  it('keeps what was done to the tail in a report of prepare-force, whatever else is left out', () => {
    for (const [members, changes] of [[3, 0], [20, 8], [30, 300]] as const) {
      const {copy, marker, milliseconds} = {
        copy: {path: `.quorumrecovery/${'r'.repeat(63)}/copy`, files: 999, bytes: 1e11, copiedBytes: 1e11, manifestSHA256: 'f'.repeat(64), already: false, reflinked: 0},
        marker: {attempt: 999, pod: 'f'.repeat(36), already: false}, milliseconds: {inspect: 1e5, copy: 1e6, tail: 1e4, total: 1e6},
      };
      const confChanges = Array.from({length: 8}, (_, number) => ({index: 1e9 + number, type: 'AddLearnerNode' as const, memberID: 'f'.repeat(16)}));
      const report: AgentReport = {
        ok: true, command: 'prepare-force', run: 'r'.repeat(63), inspect: bigReport(members, changes), copy, marker, milliseconds,
        tail: {committed: true, entries: 1e6, fromIndex: 1e9, toIndex: 1e9 + 1e6, already: false, confChanges, confChangesOmitted: 100, again: 1000},
      };
      const text = fitReport(report);
      assert.ok(Buffer.byteLength(text) <= reportLimitBytes, `${Buffer.byteLength(text)}`);
      const short = JSON.parse(text) as typeof report;
      assert.deepEqual([short.tail?.entries, short.tail?.fromIndex, short.marker, short.inspect.data], [1e6, 1e9, marker, 'Present']);
      assert.equal((short.tail?.confChanges?.length ?? 0) + (short.tail?.confChangesOmitted ?? 0), 108);
    }
  });

  it('keeps the sums of a prune of very many runs', () => {
    const runs = Array.from({length: 100}, (_, number) => ({run: `${'r'.repeat(60)}${number}`, files: 1e6, bytes: 1e12, already: false, left: ['\u0001'.repeat(255)]}));
    const text = fitReport({ok: true, command: 'prune', run: 'r1', runs, files: 1e8, bytes: 1e14, already: false});
    assert.ok(Buffer.byteLength(text) <= reportLimitBytes, `${Buffer.byteLength(text)}`);
    const short = JSON.parse(text) as AgentReport;
    assert.ok(short.ok && short.command === 'prune' && short.truncated === true);
    assert.deepEqual([short.files, short.bytes, short.runs.length], [1e8, 1e14, 8]);
  });

  it('shortens the message of a failure', () => {
    const text = fitReport({ok: false, command: 'copy', reason: 'Internal', message: 'ä'.repeat(9000)});
    assert.ok(Buffer.byteLength(text) <= reportLimitBytes);
  });
});
