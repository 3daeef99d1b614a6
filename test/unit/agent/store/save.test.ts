import assert from 'node:assert/strict';
import {readFileSync, readdirSync, utimesSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {Refusal} from '../../../../src/agent/failure.ts';
import type {SnapshotChunk} from '../../../../src/agent/maintenance.ts';
import type {StoreSaveReport} from '../../../../src/agent/report.ts';
import {parseStoreArguments} from '../../../../src/agent/store/arguments.ts';
import {ClaimStore} from '../../../../src/agent/store/claim.ts';
import {spareBytes, storeSave} from '../../../../src/agent/store/save.ts';
import type {SnapshotStore} from '../../../../src/agent/store/store.ts';
import {memberID, newVolume, removeVolumes} from '../volumes.ts';
import {cluster, database, fetch, claimConfig, foreign, place, sha, snapshotOf} from './snapshots.ts';

const now = Date.UTC(2026, 0, 31, 12);
const owner = '1f3a90c2-0000-4000-8000-000000000001';
const name = 'db-etcd-1f3a90c2-20260131T120000Z.db';
const at = (hours: number): string => new Date(now - hours * 3_600_000).toISOString();

async function* streamOf(content = database(), hash = sha(content)): AsyncGenerator<SnapshotChunk> {
  for (let from = 0; from < content.length; from += 4096) yield await Promise.resolve({remaining: Math.max(0, content.length - from - 4096), blob: content.subarray(from, from + 4096)});
  yield {remaining: 0, blob: hash};
}

class Killed extends Error {}

interface SaveOptions {
  flags?: string[];
  stream?: () => AsyncIterable<SnapshotChunk>;
  free?: (path: string) => number;
  onStep?: (what: string) => void;
  store?: SnapshotStore;
}

async function save(root: string, {flags = [], stream = () => streamOf(), free, onStep, store}: SaveOptions = {}): Promise<StoreSaveReport> {
  const args = parseStoreArguments('store-save', [
    '--run', 'b1', '--root', newVolume(), '--name', name, '--endpoint', 'http://127.0.0.1:1', '--cluster', cluster, '--member', memberID, '--etcd-version', '3.6.16', '--owner', owner, ...flags,
  ]);
  const claim = store ?? new ClaimStore({claim: 'backups', root}, {...(onStep && {onStep})});
  return await storeSave(args, claim, {now: () => now, env: {}, stream, ...(free && {free})});
}

const refusedWith = (reason: string, words: RegExp) => (error: unknown) => error instanceof Refusal && error.reason === reason && words.test(error.message);
const written = (root: string): string[] => readdirSync(root).sort();

describe('a snapshot that is saved to a store', () => {
  after(removeVolumes);

  it('is the database with its hash, and beside it stands what its data does not say', async () => {
    const root = newVolume();
    const {snapshot, kept, removed} = await save(root);
    assert.deepEqual(written(root), [name, `${name}.json`]);
    assert.deepEqual(readFileSync(join(root, name)), snapshotOf(database()));
    const record = JSON.parse(readFileSync(join(root, `${name}.json`), 'utf8')) as object;
    const expected = {takenAt: at(0), bytes: database().length + 32, sha256: sha(database()).toString('hex'), revision: 1, clusterID: cluster, members: [memberID], etcdVersion: '3.6.16'};
    assert.deepEqual(record, {format: 1, memberID, owner, ...expected});
    assert.deepEqual([snapshot, kept, removed], [{name, recorded: true, ...expected}, 1, []]);
  });
  it('is what a fetch takes', async () => {
    const [root, volume] = [newVolume(), newVolume()];
    await save(root);
    const report = await fetch(claimConfig(root), volume, ['--expect-cluster', cluster]);
    assert.ok(report.ok && report.snapshot.name === name, JSON.stringify(report));
  });

  const refusals: {title: string; options: SaveOptions; reason: string; words: RegExp}[] = [
    {title: 'whose hash is another', options: {stream: () => streamOf(database(), Buffer.alloc(32))}, reason: 'SnapshotDamaged', words: /does not match the SHA-256/},
    {title: 'that is no database', options: {stream: () => streamOf(Buffer.alloc(8192, 'x'))}, reason: 'Unreadable', words: /cannot be read as etcd's database/},
    {title: 'of another cluster\'s member', options: {flags: ['--member', 'abc']}, reason: 'MemberMismatch', words: /without member abc/},
    {title: 'of a member that lags behind what was known of it', options: {flags: ['--at-least', '7']}, reason: 'SnapshotBehind', words: /has applied revision 1, and the cluster was at 7/},
    {title: 'for which there is no room on the way', options: {free: () => 1_000}, reason: 'NoSpace', words: /scratch volume of the pod/},
  ];
  for (const {title, options, reason, words} of refusals) {
    it(`is nothing of one ${title}`, async () => {
      const root = newVolume();
      await assert.rejects(save(root, options), refusedWith(reason, words));
      assert.deepEqual(written(root), []);
    });
  }

  it('leaves a tenth of the node\'s disk free on its way', () => {
    assert.equal(spareBytes({bavail: 250, blocks: 1_000, bsize: 4_096}), 150 * 4_096);
    assert.equal(spareBytes({bavail: 99, blocks: 1_000, bsize: 4_096}), 0);
  });
  it('is not recorded where the store gives back something else than was written', async () => {
    const root = newVolume();
    const claim = new ClaimStore({claim: 'backups', root});
    const odd: SnapshotStore = {
      where: 'a store that forgets', list: () => claim.list(), remove: (of) => claim.remove(of), clean: (isOurs) => claim.clean(isOurs), write: (of, content, bytes) => claim.write(of, content, bytes),
      async* read(of) { for await (const piece of claim.read(of)) yield Buffer.alloc(piece.length); },
    };
    await assert.rejects(save(root, {store: odd}), refusedWith('SnapshotDamaged', /What stands in a store that forgets as .* is not what was written there/));
    assert.deepEqual(written(root), []);
  });

  it('killed at any step leaves nothing that looks whole without being so, and the next one is', async () => {
    const steps: string[] = [];
    await save(newVolume(), {onStep: (what) => { steps.push(what); }});
    assert.ok(steps.length >= 2, steps.join(', '));
    for (const [number] of steps.entries()) {
      const root = newVolume();
      let left = number;
      await assert.rejects(save(root, {onStep: () => { if (left-- === 0) throw new Killed('killed'); }}), /killed/);
      const names = written(root);
      if (names.includes(`${name}.json`)) assert.ok(names.includes(name), names.join(', '));
      if (names.includes(name)) assert.deepEqual(readFileSync(join(root, name)), snapshotOf(database()));
      await save(root);
      assert.deepEqual(written(root), [name, `${name}.json`]);
    }
  });

  it('takes those away that are too many, of this resource and cluster alone', async () => {
    const root = newVolume();
    for (const hours of [1, 2, 3, 4]) place(root, {name: `db-etcd-1f3a90c2-2026013${hours}T000000Z.db`, takenAt: at(hours), record: {owner}});
    place(root, {name: 'foreign.db', takenAt: at(9), record: {clusterID: foreign, owner}});
    place(root, {name: 'by-hand.db', takenAt: at(9), record: false});
    // A cluster that was made anew, or is in another Kubernetes cluster, has the same ID; so had all before records told whose they are.
    place(root, {name: 'db-etcd-77777777-20260101T000000Z.db', takenAt: at(9), record: {owner: '77777777-0000'}});
    place(root, {name: 'db-etcd-20260101T000000Z.db', takenAt: at(9)});
    const {removed, kept} = await save(root, {flags: ['--keep-last', '3', '--keep-for', '9000']});
    assert.deepEqual([removed, kept], [['db-etcd-1f3a90c2-20260133T000000Z.db', 'db-etcd-1f3a90c2-20260134T000000Z.db'], 3]);
    const left = [
      'by-hand.db', 'db-etcd-1f3a90c2-20260131T000000Z.db', 'db-etcd-1f3a90c2-20260132T000000Z.db', name, 'foreign.db', 'db-etcd-77777777-20260101T000000Z.db', 'db-etcd-20260101T000000Z.db',
    ];
    assert.deepEqual(written(root).filter((file) => file.endsWith('.db')), left.sort());
  });
  it('takes none away while one of this cluster is at a higher revision, and says which and what to do', async () => {
    const root = newVolume();
    for (const [hours, revision] of [[1, 1], [2, 900], [3, 800]] as const) place(root, {name: `${hours}.db`, takenAt: at(hours), record: {owner, revision}});
    const {removed, kept, pruneProblem} = await save(root, {flags: ['--keep-last', '1']});
    assert.deepEqual([removed, kept], [[], 4]);
    assert.match(pruneProblem ?? '', /snapshot 2\.db \(and 1 more\) of this cluster is at revision 900, and db-etcd-1f3a90c2-\S+ only at 1: its data went back.*move what is at a higher revision out of the store/);
  });
  it('takes those away that are too old, and never itself', async () => {
    const root = newVolume();
    place(root, {name: 'a.db', takenAt: at(1), record: {owner}});
    place(root, {name: 'b.db', takenAt: at(3), record: {owner}});
    assert.deepEqual((await save(root, {flags: ['--keep-for', '7200']})).removed, ['b.db']);
    assert.deepEqual((await save(root, {flags: ['--keep-for', '1', '--keep-last', '1']})).kept, 1);
    assert.ok(written(root).includes(name));
  });
  it('takes uploads away that killed writers of the same resource have left, and nothing that is whole and has no record', async () => {
    const root = newVolume();
    for (const file of ['.db-etcd-1f3a90c2-20260130T000000Z.db.partial', '.db-etcd-2-1f3a90c2-20260130T000000Z.db.partial', '.db-etcd-77777777-20260130T000000Z.db.partial', '.other.db.partial']) writeFileSync(join(root, file), 'half');
    // Whole, and without its record: its writer was killed in between, or a person has put it there.
    for (const [file, hours] of [['db-etcd-1f3a90c2-20260129T000000Z.db', 30], ['db-etcd-1f3a90c2-20260131T110000Z.db', 1], ['db-other-20260129T000000Z.db', 30]] as const) {
      writeFileSync(join(root, file), 'whole');
      utimesSync(join(root, file), new Date(at(hours)), new Date(at(hours)));
    }
    await save(root, {flags: ['--keep-last', '3']});
    assert.deepEqual(written(root), [
      '.db-etcd-2-1f3a90c2-20260130T000000Z.db.partial', '.db-etcd-77777777-20260130T000000Z.db.partial', '.other.db.partial', 'db-etcd-1f3a90c2-20260129T000000Z.db', 'db-etcd-1f3a90c2-20260131T110000Z.db', name, `${name}.json`, 'db-other-20260129T000000Z.db',
    ].sort());
  });
  it('takes one away before its record, so that a start that is killed in between leaves no snapshot that nobody would take away', async () => {
    const root = newVolume();
    const claim = new ClaimStore({claim: 'backups', root});
    place(root, {name: 'a.db', takenAt: at(1), record: {owner}});
    const removed: string[] = [];
    const watched: SnapshotStore = {
      where: claim.where, list: () => claim.list(), read: (of) => claim.read(of), clean: (isOurs) => claim.clean(isOurs), write: (of, content, bytes) => claim.write(of, content, bytes),
      remove: (of) => { removed.push(of); return claim.remove(of); },
    };
    await save(root, {store: watched, flags: ['--keep-last', '1']});
    assert.deepEqual(removed, ['a.db', 'a.db.json']);
  });
  it('leaves one whose record cannot be read, says so, and takes the others away', async () => {
    const root = newVolume();
    const claim = new ClaimStore({claim: 'backups', root});
    const closed = 'db-etcd-1f3a90c2-20260101T000000Z.db';
    for (const [of, hours] of [[closed, 9], ['a.db', 1], ['b.db', 2]] as const) place(root, {name: of, takenAt: at(hours), record: {owner}});
    const denied = new Refusal('StoreRefused', 'bucket b answers 403 AccessDenied.');
    const odd: SnapshotStore = {
      where: claim.where, list: () => claim.list(), remove: (of) => claim.remove(of), clean: (isOurs) => claim.clean(isOurs), write: (of, content, bytes) => claim.write(of, content, bytes),
      read: (of) => { if (of === `${closed}.json`) throw denied; return claim.read(of); },
    };
    const {removed, kept, pruneProblem} = await save(root, {store: odd, flags: ['--keep-last', '2']});
    assert.deepEqual([removed, kept], [['b.db'], 2]);
    assert.match(pruneProblem ?? '', /the record of snapshot db-etcd-1f3a90c2-20260101T000000Z\.db cannot be read, so it stays: bucket b answers 403/);
    assert.ok(written(root).includes(closed));
  });
  it('stays saved where nothing can be taken away', async () => {
    const root = newVolume();
    const claim = new ClaimStore({claim: 'backups', root});
    place(root, {name: 'a.db', takenAt: at(1), record: {owner}});
    const stubborn: SnapshotStore = {
      where: 'a store that keeps', list: () => claim.list(), read: (of) => claim.read(of), clean: (isOurs) => claim.clean(isOurs), write: (of, content, bytes) => claim.write(of, content, bytes),
      remove: () => Promise.reject(new Refusal('StoreRefused', 'AccessDenied')),
    };
    const {pruneProblem, kept} = await save(root, {store: stubborn, flags: ['--keep-last', '1']});
    assert.deepEqual([pruneProblem, kept], ['AccessDenied', 2]);
  });
});
