import assert from 'node:assert/strict';
import {existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, lstatSync, statSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {parseArguments} from '../../../src/agent/arguments.ts';
import {runAgent, runCommand} from '../../../src/agent/run.ts';
import type {OnStep, Outcome} from '../../../src/agent/run.ts';
import type {AgentFailure, AgentReport, AgentSuccessReport} from '../../../src/agent/report.ts';
import {boltBytes, inlineBucket, leaf, metaPage, uint64} from '../etcd/bolt/builder.ts';
import {metadata, writeWal} from '../etcd/wal/writer.ts';
import type {TestRecord} from '../etcd/wal/writer.ts';

/** Volumes in temporary directories, with data that the agent reads as etcd's. */

export const memberID = metadata.member.toString(16);
export const clusterID = metadata.cluster.toString(16);

const made: string[] = [];

export function newVolume(): string {
  const path = realpathSync(mkdtempSync(join(tmpdir(), 'agent-volume-')));
  made.push(path);
  return path;
}

export function removeVolumes(): void {
  for (const path of made.splice(0)) {
    rmSync(path, {recursive: true, force: true});
  }
}

export interface DataOptions {
  records?: TestRecord[];
  consistentIndex?: number;
  /** Of that entry, in the database. */
  term?: number;
  members?: {id: string; name: string; peerURLs: string[]; clientURLs: string[]}[];
  preallocate?: number;
  walDir?: string;
}

export const someRecords: TestRecord[] = [
  {kind: 'snapshot', index: 0, term: 0},
  ...[1, 2, 3, 4, 5, 6].map((index): TestRecord => ({kind: 'entry', index, term: 2, data: Buffer.from(`put ${index}`)})),
  {kind: 'state', term: 3, vote: metadata.member, commit: 4},
];

/** Writes a member directory below dataDir: 6 entries, 4 committed, 4 applied, unless told otherwise. */
export function writeData(dataDir: string, options: DataOptions = {}): void {
  const {records = someRecords, consistentIndex = 4, term = 2, preallocate = 1 << 20} = options;
  const members = options.members ?? [{id: memberID, name: 'etcd-0', peerURLs: ['http://etcd-0:2380'], clientURLs: ['http://etcd-0:2379']}];
  const walDir = options.walDir ?? join(dataDir, 'member', 'wal');
  mkdirSync(join(dataDir, 'member', 'snap'), {recursive: true, mode: 0o700});
  mkdirSync(walDir, {recursive: true, mode: 0o700});
  for (const {name, bytes} of writeWal(records, {preallocate})) {
    writeFileSync(join(walDir, name), bytes, {mode: 0o600});
  }
  writeFileSync(join(walDir, '0.tmp'), Buffer.alloc(4096));
  const root = leaf(3, [
    {key: 'members', value: inlineBucket(members.map((member) => ({key: member.id, value: Buffer.from(JSON.stringify(member))}))), bucket: true},
    {key: 'meta', value: inlineBucket([{key: 'consistent_index', value: uint64(consistentIndex)}, {key: 'term', value: uint64(term)}]), bucket: true},
  ]);
  writeFileSync(join(dataDir, 'member', 'snap', 'db'), boltBytes([metaPage(0, 3, 9, 2), metaPage(1, 3, 9, 1), undefined, root]), {mode: 0o600});
}

/** Every file below a directory with its content, directories as null: for "nothing was changed" and "the same as before". */
export function snapshotOf(root: string, path = ''): Record<string, string | null> {
  const here = join(root, path);
  const stats = lstatSync(here);
  if (stats.isDirectory()) {
    const inner = readdirSync(here).map((name) => snapshotOf(root, join(path, name)));
    return Object.assign({[path]: null}, ...inner) as Record<string, string | null>;
  }
  return {[path]: stats.isFile() ? readFileSync(here, 'base64') : 'link'};
}

/** Where data directory and WAL are. */
export interface Volume {
  root: string;
  data: string;
  wal?: string;
  walRoot?: string;
}

export const layouts: {name: string; make(): Volume}[] = [
  {
    name: 'WAL in the member directory',
    make: () => {
      const root = newVolume();
      return {root, data: join(root, 'data')};
    },
  },
  {
    name: 'data directory at the root of the volume, WAL beside it',
    make: () => {
      const root = newVolume();
      return {root, data: root, wal: join(root, 'wal')};
    },
  },
  {
    name: 'WAL on another volume',
    make: () => {
      const walRoot = newVolume();
      const root = newVolume();
      return {root, data: join(root, 'data'), wal: join(walRoot, 'etcd', 'wal'), walRoot};
    },
  },
];

export function flagsOf({root, data, wal, walRoot}: Volume, command: string, run = 'r1'): string[] {
  return [
    command, '--root', root, '--data-dir', data, '--run', run,
    ...(wal === undefined ? [] : ['--wal-dir', wal]), ...(walRoot === undefined ? [] : ['--wal-root', walRoot]),
  ];
}

export function fill(volume: Volume): void {
  writeData(volume.data, volume.wal === undefined ? {} : {walDir: volume.wal});
}

export function snapshots({root, walRoot}: Volume): Record<string, string | null>[] {
  return [root, ...(walRoot === undefined ? [] : [walRoot])].map((path) => snapshotOf(path));
}

/** What an etcd that is started now would do. It looks for `proxy` and `member` first, then for segments in its WAL directory. */
export function etcdWould({data, wal}: Volume): 'exit' | 'start on its data' | 'form a new cluster' {
  const member = join(data, 'member');
  if (existsSync(join(data, 'proxy')) || (existsSync(member) && !statSync(member).isDirectory())) {
    return 'exit';
  }
  const walDir = wal ?? join(member, 'wal');
  return existsSync(walDir) && readdirSync(walDir).some((name) => name.endsWith('.wal')) ? 'start on its data' : 'form a new cluster';
}

export function agent(...argv: string[]): Outcome {
  return runAgent(argv);
}

export function succeed(...argv: string[]): AgentSuccessReport {
  const {report} = runAgent(argv);
  if (!report.ok) {
    throw new Error(JSON.stringify(report));
  }
  return report;
}

export function refuse(...argv: string[]): AgentFailure {
  const {report} = runAgent(argv);
  if (report.ok) {
    throw new Error(`expected a refusal, got ${JSON.stringify(report)}`);
  }
  return report;
}

/** What a kill is for a test: thrown before the given change, and nothing of the command runs any more. */
export class Killed extends Error {}

/** Runs a command that is killed before its step of that number (from 0); undefined if it was killed. */
export function killAt(step: number, ...argv: string[]): AgentReport | undefined {
  let count = 0;
  const onStep: OnStep = () => {
    if (count++ === step) {
      throw new Killed();
    }
  };
  try {
    return runCommand(parseArguments(argv), onStep);
  } catch (error) {
    if (error instanceof Killed) {
      return undefined;
    }
    throw error;
  }
}

/** Runs a command that is killed right after its first step that fits. */
export function killAfter(step: RegExp, ...argv: string[]): void {
  const steps: string[] = [];
  const onStep: OnStep = (what) => {
    if (step.test(steps.at(-1) ?? '')) {
      throw new Killed();
    }
    steps.push(what);
  };
  assert.throws(() => runCommand(parseArguments(argv), onStep), Killed, `no step ${String(step)}`);
}
