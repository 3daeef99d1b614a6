import {spawn} from 'node:child_process';
import type {ChildProcess} from 'node:child_process';
import {once} from 'node:events';
import {existsSync, readdirSync} from 'node:fs';
import {createServer} from 'node:net';
import type {AddressInfo} from 'node:net';
import {join} from 'node:path';
import {setTimeout as delay} from 'node:timers/promises';

/** Real etcd processes on loopback, for the tests that compare the readers with etcd itself. */

/** Versions in the folder that ETCD_BINS names: <version>/etcd and <version>/etcdutl. */
export function etcdVersions(): string[] {
  const folder = process.env.ETCD_BINS;
  return folder === undefined ? [] : readdirSync(folder).filter((version) => existsSync(binary(version, 'etcd'))).sort();
}

export function binary(version: string, name: 'etcd' | 'etcdutl'): string {
  return join(process.env.ETCD_BINS ?? '', version, name);
}

export async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const {port} = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

export interface Member {
  name: string;
  dataDir: string;
  client: string;
  peer: string;
  process: ChildProcess;
  log: () => string;
}

const running = new Set<ChildProcess>();

export interface Start {
  version: string;
  name: string;
  dataDir: string;
  client: string;
  peer: string;
  flags: string[];
}

export function startEtcd({version, name, dataDir, client, peer, flags}: Start): Member {
  const child = spawn(binary(version, 'etcd'), [
    '--name', name, '--data-dir', dataDir, '--listen-client-urls', client, '--advertise-client-urls', client,
    '--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer, ...flags,
  ], {stdio: ['ignore', 'pipe', 'pipe']});
  running.add(child);
  child.once('exit', () => running.delete(child));
  let log = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      log += chunk.toString('utf8');
    });
  }
  return {name, dataDir, client, peer, process: child, log: () => log};
}

export async function startCluster(version: string, root: string, flags: string[]): Promise<Member[]> {
  const places = await Promise.all(['a', 'b', 'c'].map(async (name) => ({
    name, dataDir: join(root, name), client: `http://127.0.0.1:${await freePort()}`, peer: `http://127.0.0.1:${await freePort()}`,
  })));
  const cluster = places.map(({name, peer}) => `${name}=${peer}`).join(',');
  return places.map((place) => startEtcd({version, ...place, flags: ['--initial-cluster', cluster, ...flags]}));
}

/** Kills with SIGKILL, or another signal, and waits for the end. */
export async function stop(members: readonly Member[], signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
  await Promise.all(members.map(async ({process: child}) => {
    if (child.exitCode === null && child.signalCode === null) {
      const exit = once(child, 'exit');
      child.kill(signal);
      await exit;
    }
  }));
}

export function stopEverything(): void {
  for (const child of running) {
    child.kill('SIGKILL');
  }
}

/** One call of etcd's JSON gateway. */
export async function call<T>(member: Pick<Member, 'client'>, path: string, body: object): Promise<T> {
  const response = await fetch(`${member.client}/v3/${path}`, {method: 'POST', body: JSON.stringify(body), signal: AbortSignal.timeout(5_000)});
  const value = (await response.json()) as T;
  if (!response.ok) {
    throw new Error(`${path}: ${JSON.stringify(value)}`);
  }
  return value;
}

export async function put(member: Pick<Member, 'client'>, key: string, value: string | Buffer): Promise<void> {
  await call(member, 'kv/put', {key: Buffer.from(key).toString('base64'), value: Buffer.from(value).toString('base64')});
}

export interface Status {
  header: {cluster_id: string; member_id: string; revision: string; raft_term: string};
  leader: string;
  raftIndex: string;
  raftTerm: string;
  raftAppliedIndex: string;
}

export function status(member: Pick<Member, 'client'>): Promise<Status> {
  return call<Status>(member, 'maintenance/status', {});
}

/** Asks until the answer is what is wanted; a process offers nothing else to wait for. */
export async function until<T>(what: string, ask: () => Promise<T | undefined>, seconds = 45): Promise<T> {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const answer = await ask().catch(() => undefined);
    if (answer !== undefined) {
      return answer;
    }
    if (Date.now() > end) {
      throw new Error(`not within ${seconds} s: ${what}`);
    }
    await delay(50);
  }
}

/** etcd's JSON gateway writes IDs as decimal strings. */
export function hex(decimal: string): string {
  return BigInt(decimal).toString(16);
}
