import {spawn} from 'node:child_process';
import type {ChildProcess} from 'node:child_process';
import {join} from 'node:path';
import {freePort, status, stop, until} from '../../unit/agent/etcd-processes.ts';
import type {Member, Status} from '../../unit/agent/etcd-processes.ts';
import {slowLink} from './slow-link.ts';
import type {SlowLink} from './slow-link.ts';

const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

interface Start {
  /** Path of the etcd command. */
  etcd: string;
  name: string;
  dataDir: string;
  flags: string[];
}

interface Ports {
  client: number;
  peer: number;
  /** Where the other members reach it, if not at its own peer port. */
  advertised?: number;
}

const url = (port: number): string => `http://127.0.0.1:${port}`;

/** One etcd with its defaults (fsync, elections, batches) and its whole log. Everything is killed with this process at the latest. */
export function startEtcd({etcd, name, dataDir, flags}: Start, {client, peer, advertised = peer}: Ports): Member {
  const child = spawn(etcd, [
    `--name=${name}`, `--data-dir=${dataDir}`, `--listen-client-urls=${url(client)}`, `--advertise-client-urls=${url(client)}`,
    `--listen-peer-urls=${url(peer)}`, `--initial-advertise-peer-urls=${url(advertised)}`, ...flags,
  ], {stdio: ['ignore', 'ignore', 'pipe']});
  running.add(child);
  child.once('exit', () => running.delete(child));
  let log = '';
  child.stderr.on('data', (chunk: Buffer) => { log += chunk.toString(); });
  return {name, dataDir, client: url(client), peer: url(peer), process: child, log: () => log};
}

/** A single etcd on data that is there. */
export async function startAlone(start: Start): Promise<Member> {
  return startEtcd(start, {client: await freePort(), peer: await freePort()});
}

/** Waits for what a process has to do, but not longer than it lives. */
export async function unlessItEnds<T>(members: readonly Member[], what: string, ask: () => Promise<T | undefined>): Promise<T> {
  let ended: Member | undefined;
  const answer = await until(what, async () => {
    ended = members.find(({process: child}) => child.exitCode !== null || child.signalCode !== null);
    return ended === undefined ? await ask() : 'ended' as const;
  }, 60);
  if (answer !== 'ended') return answer;
  throw new Error(`${ended?.name ?? 'etcd'} ended before ${what}:\n${ended?.log().slice(-2_000) ?? ''}`);
}

export interface Cluster {
  members: Member[];
  /** Cuts the slow links between members, with what is on its way. */
  cut(): void;
  /** Kills what still runs. */
  end(): Promise<void>;
}

/**
 * Three members on loopback, each in a directory of its own.
 * @param delayMs that everything between two members takes, each way; 0 for a direct connection
 */
export async function startCluster(etcd: string, root: string, delayMs: number): Promise<Cluster> {
  const links: SlowLink[] = [];
  const members: Member[] = [];
  const cut = (): void => {
    for (const link of links) link.cut();
  };
  const end = async (): Promise<void> => {
    await stop(members);
    cut();
  };
  try {
    const places = await Promise.all(['a', 'b', 'c'].map(async (name) => {
      const [client, peer] = [await freePort(), await freePort()];
      const link = delayMs === 0 ? undefined : await slowLink(peer, delayMs);
      if (link !== undefined) links.push(link);
      return {name, ports: {client, peer, advertised: link?.port ?? peer}};
    }));
    const cluster = places.map(({name, ports}) => `${name}=${url(ports.advertised)}`).join(',');
    // The log is never cut behind a snapshot: what the survivor's disk holds is then all in its WAL, from the first entry on.
    const flags = [`--initial-cluster=${cluster}`, '--snapshot-count=10000000', '--max-wals=0'];
    for (const {name, ports} of places) members.push(startEtcd({etcd, name, dataDir: join(root, name), flags}, ports));
    await unlessItEnds(members, 'a leader was elected', () => leaderOf(members));
    return {members, cut, end};
  } catch (error) {
    await end();
    throw error;
  }
}

export interface Leader {
  leader: Member;
  followers: Member[];
  /** What each member says of itself, by its name. */
  statuses: Map<string, Status>;
}

/** undefined unless all three name the same one. */
export async function leaderOf(members: readonly Member[]): Promise<Leader | undefined> {
  const all = await Promise.all(members.map(async (member) => ({member, state: await status(member)})));
  const leader = all.find(({state}) => state.leader === state.header.member_id);
  if (leader === undefined || !all.every(({state}) => state.leader === leader.state.leader)) return undefined;
  return {
    leader: leader.member, followers: members.filter((member) => member !== leader.member),
    statuses: new Map(all.map(({member, state}) => [member.name, state])),
  };
}
