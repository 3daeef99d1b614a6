import {createHash} from 'node:crypto';
import {mkdirSync, readFileSync, utimesSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {storeVariable} from '../../../../src/agent/store/config.ts';
import type {StoreConfig} from '../../../../src/agent/store/config.ts';
import {runStore} from '../../../../src/agent/store/main.ts';
import type {AgentFailure, AgentReport, StoreFetchReport, StoreListReport, StoreSaveReport} from '../../../../src/agent/report.ts';
import type {SnapshotRecord} from '../../../../src/agent/store/records.ts';
import {memberID, newVolume, writeData} from '../volumes.ts';

/** Stores in temporary directories, with snapshots as etcd makes them. */

export const cluster = 'c1';
export const foreign = 'c2';

export const sha = (bytes: Buffer): Buffer => createHash('sha256').update(bytes).digest();

/** A database with one member, and what etcd puts after it. */
export function database(member = memberID): Buffer {
  const root = newVolume();
  writeData(root, {members: [{id: member, name: 'etcd-0', peerURLs: ['http://etcd-0:2380'], clientURLs: []}]});
  return readFileSync(join(root, 'member', 'snap', 'db'));
}

export const snapshotOf = (bytes: Buffer): Buffer => Buffer.concat([bytes, sha(bytes)]);

export interface Placed {
  name: string;
  /** RFC 3339. */
  takenAt: string;
  content?: Buffer;
  member?: string;
  /** false: no record beside it. */
  record?: Partial<SnapshotRecord> | false;
}

/** Puts a snapshot in a directory, as a finished save leaves it unless told otherwise. */
export function place(directory: string, {name, takenAt, member = memberID, content, record = {}}: Placed): void {
  mkdirSync(directory, {recursive: true});
  const bytes = database(member);
  const whole = snapshotOf(bytes);
  writeFileSync(join(directory, name), content ?? whole);
  const time = new Date(takenAt);
  utimesSync(join(directory, name), time, time);
  if (record === false) return;
  const full: SnapshotRecord = {
    format: 1, takenAt, bytes: whole.length, sha256: sha(bytes).toString('hex'), revision: 1, clusterID: cluster, memberID: member, members: [member], etcdVersion: '3.6.6', ...record,
  };
  writeFileSync(join(directory, `${name}.json`), JSON.stringify(full));
}

export const claimConfig = (root: string): StoreConfig => ({kind: 'claim', claim: 'backups', root});

export const environmentOf = (config: StoreConfig): Record<string, string> => ({[storeVariable]: JSON.stringify(config)});

async function run(config: StoreConfig, argv: readonly string[], env: Record<string, string> = {}): Promise<AgentReport> {
  return (await runStore(argv, {...env, ...environmentOf(config)})).report;
}

export const list = async (config: StoreConfig, argv: readonly string[] = [], env = {}): Promise<StoreListReport | AgentFailure> =>
  await run(config, ['store-list', '--run', 'r1', ...argv], env) as StoreListReport | AgentFailure;

export const fetch = async (config: StoreConfig, root: string, argv: readonly string[] = [], env = {}): Promise<StoreFetchReport | AgentFailure> =>
  await run(config, ['store-fetch', '--run', 'r1', '--root', root, '--to', join(root, 'in', 'snapshot.db'), ...argv], env) as StoreFetchReport | AgentFailure;

export const save = async (config: StoreConfig, argv: readonly string[], env = {}): Promise<StoreSaveReport | AgentFailure> =>
  await run(config, ['store-save', '--run', 'r1', ...argv], env) as StoreSaveReport | AgentFailure;
