import {join} from 'node:path';
import {setTimeout as delay} from 'node:timers/promises';
import type {AgentReport, PrepareForceReport} from '../../../src/agent/report.ts';
import {projectDirectory} from '../../lab/paths.ts';
import {run} from '../../lab/shell.ts';
import {call, stop} from '../../unit/agent/etcd-processes.ts';
import type {Member} from '../../unit/agent/etcd-processes.ts';
import {startAlone, unlessItEnds} from './cluster.ts';
import {keyPrefix} from './load.ts';

export interface Kept {
  value: string;
  /** Of the write that put this value there. */
  revision: number;
}

export interface Forced {
  keys: Map<string, Kept>;
  /** Entries that etcd says it dropped. */
  discarded: number;
}

interface RangeResponse {
  kvs?: {key: string; value: string; mod_revision: string}[];
  more?: boolean;
}

const base64 = (text: string): string => Buffer.from(text).toString('base64');
const text = (base: string): string => Buffer.from(base, 'base64').toString();
const pageKeys = 5_000;

/** Every key of the load, as a linearizable read of the new cluster has it. */
async function readAll(member: Member): Promise<Map<string, Kept>> {
  const keys = new Map<string, Kept>();
  let from = keyPrefix;
  for (;;) {
    // '0' is the character after the prefix' last one.
    const range = {key: base64(from), range_end: base64(`${keyPrefix.slice(0, -1)}0`), limit: pageKeys};
    const {kvs = [], more = false} = await call<RangeResponse>(member, 'kv/range', range);
    for (const kv of kvs) keys.set(text(kv.key), {value: text(kv.value), revision: Number(kv.mod_revision)});
    const last = kvs.at(-1);
    if (!more || last === undefined) return keys;
    from = `${text(last.key)}\0`;
  }
}

function discardedIn(log: string): number {
  return [...log.matchAll(/"number-of-discarded-entries":(\d+)/g)].reduce((sum, [, count]) => sum + Number(count), 0);
}

/** Starts etcd on this data with --force-new-cluster and nothing else, and reads what there is. */
export async function forceAndRead(etcd: string, name: string, dataDir: string): Promise<Forced> {
  const member = await startAlone({etcd, name, dataDir, flags: ['--force-new-cluster']});
  try {
    const keys = await unlessItEnds([member], 'the forced cluster served', () => readAll(member));
    const {members} = await call<{members: unknown[]}>(member, 'cluster/member/list', {});
    if (members.length !== 1) throw new Error(`the forced cluster has ${members.length} members`);
    // The line stands before the start of raft, but a pipe may be read after a socket.
    await delay(10);
    return {keys, discarded: discardedIn(member.log())};
  } finally {
    await stop([member]);
  }
}

export interface Volume {
  /** The directory that a pod would have as its volume. */
  root: string;
  dataDir: string;
  memberID: string;
  clusterID: string;
}

/** What the operator's force pod runs first: the agent's own command line, in a process of its own. */
export async function prepareForce({root, dataDir, memberID, clusterID}: Volume, moreFlags: readonly string[]): Promise<PrepareForceReport> {
  const said = await run(process.execPath, [
    join(projectDirectory, 'src', 'agent', 'main.ts'), 'prepare-force', '--root', root, '--data-dir', dataDir, '--run', 'bench-loss',
    '--attempt', '1', '--pod', 'bench-loss', '--expect-member', memberID, '--expect-cluster', clusterID, ...moreFlags,
  ], {environment: {AGENT_REPORT_PATH: join(root, 'report.json')}});
  const report = JSON.parse(said) as AgentReport;
  if (!report.ok || report.command !== 'prepare-force') throw new Error(`the agent answered ${said}`);
  return report;
}
