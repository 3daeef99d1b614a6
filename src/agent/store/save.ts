import {createHash} from 'node:crypto';
import {createReadStream, rmSync, statfsSync} from 'node:fs';
import {join} from 'node:path';
import {certificates, idleMs} from '../commands/snapshot.ts';
import {isSpaceError, Refusal} from '../failure.ts';
import {snapshotChunks} from '../maintenance.ts';
import type {EtcdURL, SnapshotChunk} from '../maintenance.ts';
import type {StoreSaveReport} from '../report.ts';
import {receiveSnapshot} from '../snapshot.ts';
import {realRoot} from '../volume.ts';
import type {StoreArguments} from './arguments.ts';
import {tokenFor} from './authenticate.ts';
import {contentsOf} from './check.ts';
import {prune} from './prune.ts';
import {recordOf} from './records.ts';
import type {SnapshotRecord} from './records.ts';
import type {SnapshotStore} from './store.ts';

/** Left free on the scratch volume, bytes. */
const reserveBytes = 16 << 20;
/**
 * Bytes that a snapshot may take of its file system: the scratch volume is a node's disk, and a tenth of it stays free, as the kubelet drives pods
 * away from a node with less, members of etcd among them.
 */
export const spareBytes = ({bavail, blocks, bsize}: {bavail: number; blocks: number; bsize: number}): number => Math.max(0, bavail - Math.ceil(blocks / 10)) * bsize;

/** An etcd of the largest size that is supported (8 GiB), over a slow network, s. */
const usualWithin = 1_800;

export interface SaveOptions {
  now: () => number;
  env: Readonly<Record<string, string | undefined>>;
  free?: (path: string) => number;
  /** What the member sends. */
  stream?: (etcd: EtcdURL) => AsyncIterable<SnapshotChunk>;
}

/**
 * Takes a snapshot of a member, checks it, writes it to the store, reads it back from there, and records it. It comes to the scratch volume
 * first: so nothing reaches the store that was not checked, and etcd does not have to keep its read transaction open for as long as the store takes.
 * The record is written last: what has none beside it was not finished.
 * @throws {Refusal} EtcdUnreachable, EtcdRefused, SnapshotDamaged, Unreadable, MemberMismatch, SnapshotBehind, NoSpace, StoreUnreachable, StoreRefused
 */
export async function storeSave(args: StoreArguments, store: SnapshotStore, options: SaveOptions): Promise<StoreSaveReport> {
  const begin = performance.now();
  const name = args.name ?? '';
  const file = join(realRoot(args.root ?? ''), `${name}.tmp`);
  rmSync(file, {force: true});
  try {
    const record = await takeFrom(args, file, options);
    await store.write(name, createReadStream(file, {highWaterMark: 1 << 18}) as AsyncIterable<Buffer>, record.bytes);
    await orRemoved(store, name, requireSame(store, name, record));
    const text = Buffer.from(`${JSON.stringify(record, undefined, 2)}\n`);
    await store.write(recordOf(name), piecesOf(text), text.length);
    const {takenAt, bytes, sha256, revision, clusterID, members, etcdVersion} = record;
    const pruned = await prune(store, {name, cluster: clusterID, owner: args.owner, revision, keepLast: args.keepLast, keepFor: args.keepFor, now: options.now()});
    return {
      ok: true, command: 'store-save', run: args.run,
      snapshot: {name, takenAt, bytes, recorded: true, sha256, revision, clusterID, members, ...(etcdVersion !== undefined && {etcdVersion})},
      ...pruned, milliseconds: Math.round(performance.now() - begin),
    };
  } finally {
    rmSync(file, {force: true});
  }
}

async function* piecesOf(...pieces: readonly Buffer[]): AsyncGenerator<Buffer> {
  for (const piece of pieces) yield await Promise.resolve(piece);
}

/** The snapshot as a checked file, and what is recorded of it. */
async function takeFrom(args: StoreArguments, file: string, {now, env, free = (path) => spareBytes(statfsSync(path)), stream}: SaveOptions): Promise<SnapshotRecord> {
  const {name = '', cluster = '', member = '', root = '', endpoint = '', serverName, tls, within = usualWithin, atLeast, etcdVersion, owner} = args;
  const takenAt = new Date(now()).toISOString();
  const etcd: EtcdURL = {url: endpoint, ...(serverName !== undefined && {serverName}), ...(tls !== undefined && {tls: certificates(tls)})};
  const limits = {idleMs, totalMs: within * 1000};
  const token = stream === undefined ? await tokenFor(etcd, limits, env) : undefined;
  const chunks = stream?.(etcd) ?? snapshotChunks({...etcd, ...(token !== undefined && {token})}, limits);
  const {sha256, bytes} = await spool(file, chunks, root, free);
  const {revision, members} = contentsOf(file, name);
  if (!members.includes(member)) {
    throw new Refusal('MemberMismatch', `The snapshot is of a cluster without member ${member}: another etcd answers at ${endpoint}. It was not saved.`);
  }
  if (atLeast !== undefined && revision < atLeast) {
    throw new Refusal('SnapshotBehind', `Member ${member} has applied revision ${revision}, and the cluster was at ${atLeast} before. The snapshot was not saved.`);
  }
  return {format: 1, takenAt, bytes, sha256, revision, clusterID: cluster, memberID: member, members, ...(etcdVersion !== undefined && {etcdVersion}), ...(owner !== undefined && {owner})};
}

async function spool(file: string, chunks: AsyncIterable<SnapshotChunk>, root: string, free: (path: string) => number): Promise<{sha256: string; bytes: number}> {
  const noSpace = (needed: number): Refusal =>
    new Refusal('NoSpace', `The snapshot needs ${needed} bytes on the scratch volume of the pod that takes it, and ${free(root)} are free beside the tenth of that disk that is left to its node. It was not saved.`, {neededBytes: needed, freeBytes: free(root)});
  let needed = reserveBytes;
  try {
    return await receiveSnapshot(file, chunks, (bytes) => {
      needed = bytes + reserveBytes;
      if (needed > free(root)) throw noSpace(needed);
    });
  } catch (error) {
    throw isSpaceError(error) ? noSpace(needed) : error;
  }
}

/** What this start has written and what is not what it should be is nobody's: it goes again, as far as the store lets it. */
async function orRemoved(store: SnapshotStore, name: string, check: Promise<void>): Promise<void> {
  try {
    await check;
  } catch (error) {
    if (error instanceof Refusal && error.reason === 'SnapshotDamaged') await store.remove(name).catch(() => undefined);
    throw error;
  }
}

/** Reads what stands in the store now. */
async function requireSame(store: SnapshotStore, name: string, {bytes, sha256}: SnapshotRecord): Promise<void> {
  const hash = createHash('sha256');
  const database = bytes - 32;
  let came = 0;
  for await (const piece of store.read(name)) {
    hash.update(piece.subarray(0, Math.max(0, database - came)));
    came += piece.length;
  }
  const found = hash.digest('hex');
  if (came === bytes && found === sha256) return;
  throw new Refusal('SnapshotDamaged', `What stands in ${store.where} as ${name} is not what was written there: ${came} of ${bytes} bytes, SHA-256 ${found} in place of ${sha256}. It was not recorded.`);
}
