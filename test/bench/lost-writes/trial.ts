import {mkdirSync, rmSync} from 'node:fs';
import {join} from 'node:path';
import {setTimeout as delay} from 'node:timers/promises';
import {run} from '../../lab/shell.ts';
import type {Random} from '../../simulation/random.ts';
import {hex, stop} from '../../unit/agent/etcd-processes.ts';
import {leaderOf, startCluster, unlessItEnds} from './cluster.ts';
import type {Cluster, Leader} from './cluster.ts';
import {writesOnDisk} from './disk.ts';
import {forceAndRead, prepareForce} from './forced.ts';
import type {Kept} from './forced.ts';
import {Load} from './load.ts';
import type {Acknowledged} from './load.ts';
import type {LossRun} from './results.ts';

/** What is drawn for one run. The same seed draws the same; what real processes make of it differs each time. */
export interface Draw {
  number: number;
  /** How the survivor ends: together with the other two, or by a clean stop some time after them. */
  signal: 'SIGKILL' | 'SIGTERM';
  afterMs: number;
  /** Between two members, each way. */
  delayMs: number;
  /** Whether what is on its way between members at the kill is lost, as when a rack goes with its switch. */
  cut: boolean;
  loadMs: number;
  inFlight: number;
  valueBytes: number;
  /** Which of the two followers survives. */
  follower: number;
}

/** Half of the runs end by each signal, and half of each have the delay. */
export function draw(number: number, random: Random): Draw {
  const drawn = {
    afterMs: random.between(20, 1_500), delayMs: random.between(5, 20), loadMs: random.between(500, 2_000),
    inFlight: random.between(8, 40), valueBytes: random.between(32, 512), follower: random.below(2),
    cut: random.chance(0.5),
  };
  const signal = number % 2 === 1 ? 'SIGKILL' : 'SIGTERM';
  const delayed = number % 4 >= 2;
  return {
    ...drawn, number, signal, afterMs: signal === 'SIGKILL' ? 0 : drawn.afterMs, delayMs: delayed ? drawn.delayMs : 0, cut: delayed && drawn.cut,
  };
}

/** What is left of a cluster. */
export interface Remains {
  survivor: string;
  dataDir: string;
  memberID: string;
  clusterID: string;
  acknowledged: Acknowledged[];
}

/** A cluster under full load loses its leader and one follower at the same instant; then the other follower is stopped. */
export async function loseQuorum(cluster: Cluster, {signal, afterMs, cut, loadMs, follower, ...load}: Draw): Promise<Remains> {
  const {members} = cluster;
  const writer = new Load(members, load);
  try {
    await delay(loadMs);
    const {leader, followers, statuses}: Leader = await unlessItEnds(members, 'there is a leader under load', () => leaderOf(members));
    const [survivor, other] = follower === 0 ? followers : followers.toReversed();
    const header = statuses.get(survivor?.name ?? '')?.header;
    if (survivor === undefined || other === undefined || header === undefined) throw new Error('there are not three members');
    const lost = stop([leader, other, ...signal === 'SIGKILL' ? [survivor] : []]);
    if (cut) cluster.cut();
    writer.stop();
    await lost;
    await delay(afterMs);
    await stop([survivor], signal);
    await writer.settled();
    if (writer.acknowledged.length === 0) throw new Error('no write was acknowledged: there was nothing to lose');
    return {survivor: survivor.name, dataDir: survivor.dataDir, memberID: hex(header.member_id), clusterID: hex(header.cluster_id), acknowledged: writer.acknowledged};
  } finally {
    writer.stop();
    await cluster.end();
  }
}

export interface Trial {
  etcd: string;
  /** A directory of its own; it is removed at the end. */
  root: string;
  draw: Draw;
  agentFlags: readonly string[];
}

/** An acknowledged write is there if its key has its value, from the revision that its client was told. */
const missing = (writes: readonly Acknowledged[], keys: Map<string, Kept>): Acknowledged[] =>
  writes.filter(({key, value, revision}) => keys.get(key)?.value !== value || keys.get(key)?.revision !== revision);

/** Compares the survivor's disk with what each way makes of a copy of it. */
export async function examine({etcd, root, draw: {number, signal, afterMs, delayMs, cut}, agentFlags}: Trial, remains: Remains): Promise<LossRun> {
  const {survivor, dataDir, memberID, clusterID, acknowledged} = remains;
  const volume = {root: join(root, 'volume'), dataDir: join(root, 'volume', 'data'), memberID, clusterID};
  const plain = join(root, 'plain');
  mkdirSync(volume.root);
  // The end of a WAL segment is preallocated; copies have a hole there.
  await Promise.all([plain, volume.dataDir].map((to) => run('cp', ['-a', '--sparse=always', dataDir, to])));
  const disk = writesOnDisk(join(dataDir, 'member', 'wal'));
  const [byPlainForce, {prepared, byOperator}] = await Promise.all([
    forceAndRead(etcd, survivor, plain),
    prepareForce(volume, agentFlags).then(async (report) => ({prepared: report, byOperator: await forceAndRead(etcd, survivor, volume.dataDir)})),
  ]);
  for (const {keys} of [byPlainForce, byOperator]) {
    for (const [key, {value}] of keys) {
      if (disk.values.get(key) !== value) throw new Error(`${key} is in a forced cluster, but was not found on the disk it came from`);
    }
  }
  const held = acknowledged.filter(({key, value}) => disk.values.get(key) === value);
  const lostByPlainForce = missing(held, byPlainForce.keys);
  return {
    run: number, signal, afterMs, delayMs, cut,
    acknowledged: acknowledged.length,
    notOnSurvivor: acknowledged.length - held.length,
    lostByPlainForce: lostByPlainForce.length,
    lostThoughSurvivorAnswered: lostByPlainForce.filter(({member}) => member === survivor).length,
    lostByOperator: missing(held, byOperator.keys).length,
    discardedByPlainForce: byPlainForce.discarded,
    discardedByOperator: byOperator.discarded,
    tailEntries: prepared.tail?.entries ?? 0,
    torn: disk.torn,
    replaced: disk.replaced,
  };
}

/** Removes what a run left. */
export function clean(root: string): void {
  rmSync(root, {recursive: true, force: true, maxRetries: 3});
}

/** The cluster of a run, serving. */
export function begin({etcd, root, draw: {delayMs}}: Trial): Promise<Cluster> {
  mkdirSync(root);
  return startCluster(etcd, root, delayMs);
}
