import assert from 'node:assert/strict';
import {existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import type {AgentFailure, StoreFetchReport} from '../../../../src/agent/report.ts';
import {parseStoreArguments} from '../../../../src/agent/store/arguments.ts';
import {ClaimStore} from '../../../../src/agent/store/claim.ts';
import {storeFetch} from '../../../../src/agent/store/fetch.ts';
import type {SnapshotStore} from '../../../../src/agent/store/store.ts';
import {memberID, newVolume, removeVolumes} from '../volumes.ts';
import {claimConfig, cluster, database, fetch, foreign, list, place, sha, snapshotOf} from './snapshots.ts';

const ago = (hours: number): string => new Date(Date.now() - hours * 3_600_000).toISOString();
const expecting = ['--expect-cluster', cluster, '--expect-members', memberID];

function took(report: StoreFetchReport | AgentFailure): StoreFetchReport {
  assert.ok(report.ok, JSON.stringify(report));
  return report;
}

function refusedWith(report: StoreFetchReport | AgentFailure, reason: string, words: RegExp): AgentFailure {
  assert.ok(!report.ok, JSON.stringify(report));
  assert.equal(report.reason, reason, report.message);
  assert.match(report.message, words);
  return report;
}

describe('a store of snapshots on a claim', () => {
  after(removeVolumes);

  it('lists them with what their records say, the newest first', async () => {
    const store = newVolume();
    place(store, {name: 'old.db', takenAt: ago(5)});
    place(store, {name: 'new.db', takenAt: ago(1)});
    place(store, {name: 'without.db', takenAt: ago(3), record: false});
    const report = await list(claimConfig(store));
    assert.ok(report.ok);
    assert.deepEqual(report.snapshots.map(({name, recorded}) => [name, recorded]), [['new.db', true], ['without.db', false], ['old.db', true]]);
    assert.equal(report.total, 3);
    const [first] = report.snapshots;
    assert.deepEqual([first?.clusterID, first?.members, first?.etcdVersion, first?.revision], [cluster, [memberID], '3.6.6', 1]);
  });
  it('lists nothing where nothing was saved yet', async () => {
    const report = await list({...claimConfig(newVolume()), path: 'not/there'} as Parameters<typeof list>[0]);
    assert.ok(report.ok && report.total === 0);
  });
  it('lists no file that is still being written', async () => {
    const store = newVolume();
    writeFileSync(join(store, '.new.db.partial'), 'half');
    const report = await list(claimConfig(store));
    assert.ok(report.ok && report.total === 0);
  });

  it('gives the newest one that verifies, as etcdutl takes it', async () => {
    const [store, volume] = [newVolume(), newVolume()];
    place(store, {name: 'old.db', takenAt: ago(5)});
    place(store, {name: 'new.db', takenAt: ago(1)});
    const report = took(await fetch(claimConfig(store), volume, expecting));
    assert.equal(report.snapshot.name, 'new.db');
    assert.deepEqual(readFileSync(join(volume, report.path ?? '')), snapshotOf(database()));
    assert.deepEqual([report.snapshot.sha256, report.snapshot.members, report.already, report.refused], [sha(database()).toString('hex'), [memberID], false, []]);
    assert.equal(took(await fetch(claimConfig(store), volume, expecting)).already, true);
  });
  it('checks one without keeping it where that is asked', async () => {
    const [store, volume] = [newVolume(), newVolume()];
    place(store, {name: 'new.db', takenAt: ago(1)});
    const report = took(await fetch(claimConfig(store), volume, [...expecting, '--discard']));
    assert.equal(report.path, undefined);
    assert.deepEqual(readdirSync(join(volume, 'in')), []);
  });
  it('goes back to an older one where newer ones are of no use, and says of each why', async () => {
    const [store, volume] = [newVolume(), newVolume()];
    const whole = snapshotOf(database());
    const flipped = Buffer.from(whole);
    flipped[700] = (flipped[700] ?? 0) ^ 1;
    place(store, {name: 'a-cut.db', takenAt: ago(1), content: whole.subarray(0, whole.length - 100)});
    place(store, {name: 'b-flipped.db', takenAt: ago(2), content: flipped});
    place(store, {name: 'c-foreign.db', takenAt: ago(3), record: {clusterID: foreign}});
    place(store, {name: 'd-text.db', takenAt: ago(4), content: snapshotOf(Buffer.alloc(8192, 'x')), record: false});
    place(store, {name: 'e-other-members.db', takenAt: ago(5), member: 'abc', record: false});
    place(store, {name: 'f-good.db', takenAt: ago(6)});
    const report = took(await fetch(claimConfig(store), volume, expecting));
    assert.equal(report.snapshot.name, 'f-good.db');
    assert.deepEqual(report.refused.map(({name, reason}) => [name, reason]), [
      ['a-cut.db', 'SnapshotTruncated'], ['b-flipped.db', 'SnapshotDamaged'], ['c-foreign.db', 'SnapshotForeign'], ['d-text.db', 'Unreadable'], ['e-other-members.db', 'SnapshotForeign'],
    ]);
    assert.deepEqual(readdirSync(join(volume, 'in')).sort(), ['snapshot.db', 'snapshot.db.json']);
  });

  it('passes over one whose record cannot be read, says so, and takes it where a person names it', async () => {
    const [store, volume] = [newVolume(), newVolume()];
    place(store, {name: 'old.db', takenAt: ago(5)});
    place(store, {name: 'new.db', takenAt: ago(1)});
    const closed = new ClaimStore({claim: 'backups', root: store});
    let denied = 0;
    const deny = (name: string) => { denied += 1; throw Object.assign(new Error(`EACCES: permission denied, open '${name}'`), {code: 'EACCES'}); };
    const odd: SnapshotStore = {
      where: 'claim backups', list: () => closed.list(), remove: (of) => closed.remove(of), clean: (isOurs) => closed.clean(isOurs), write: (of, content, bytes) => closed.write(of, content, bytes),
      read: (name) => (name === 'new.db.json' ? deny(name) : closed.read(name)),
    };
    const fetched = async (...more: string[]) => await storeFetch(parseStoreArguments('store-fetch', ['--run', 'r1', '--root', volume, '--to', join(volume, 'in', 'snapshot.db'), ...expecting, ...more]), odd, {now: Date.now});
    const {snapshot, refused} = await fetched();
    assert.deepEqual([snapshot.name, refused.map(({name, reason}) => [name, reason])], ['old.db', [['new.db', 'Unreadable']]]);
    assert.match(refused[0]?.message ?? '', /The record of snapshot new\.db cannot be read.*EACCES.*name the snapshot in spec\.snapshot\.name/);
    assert.equal((await fetched('--name', 'new.db')).snapshot.recorded, false);
    denied = 0;
    assert.deepEqual([(await fetched('--name', 'old.db')).snapshot.recorded, denied], [true, 0], 'of others than the named one something is read');
  });

  const refusals: {title: string; name: string; make: (store: string) => void; more?: string[]; reason: string; words: RegExp}[] = [
    {title: 'is cut off', name: 'a.db', make: (store) => { place(store, {name: 'a.db', takenAt: ago(1), content: Buffer.alloc(10)}); }, reason: 'SnapshotTruncated', words: /a\.db has 10 of \d+ bytes/},
    {title: 'is cut off and has no record', name: 'a.db', make: (store) => { place(store, {name: 'a.db', takenAt: ago(1), content: snapshotOf(database()).subarray(0, 900), record: false}); }, reason: 'SnapshotDamaged', words: /a\.db does not match the SHA-256 at its end/},
    {title: 'is a database without its hash', name: 'a.db', make: (store) => { place(store, {name: 'a.db', takenAt: ago(1), content: database(), record: false}); }, reason: 'SnapshotDamaged', words: /is no snapshot of etcd's/},
    {title: 'is another one than was recorded', name: 'a.db', make: (store) => { place(store, {name: 'a.db', takenAt: ago(1), record: {sha256: 'f'.repeat(64)}}); }, reason: 'SnapshotDamaged', words: /a\.db is another one than was recorded/},
    {title: 'is longer than was recorded', name: 'a.db', make: (store) => { place(store, {name: 'a.db', takenAt: ago(1), record: {bytes: 3}}); }, reason: 'SnapshotDamaged', words: /its record says 3/},
    {title: 'is too old', name: 'a.db', make: (store) => { place(store, {name: 'a.db', takenAt: ago(3)}); }, more: ['--max-age', '7200'], reason: 'SnapshotTooOld', words: /a\.db is 3 h 0 min old, and no older one than 2 h 0 min/},
    {title: 'is not there', name: 'b.db', make: (store) => { place(store, {name: 'a.db', takenAt: ago(1)}); }, reason: 'NoSnapshot', words: /no snapshot b\.db in claim backups; the newest there are a\.db/},
  ];
  for (const {title, name, make, more = [], reason, words} of refusals) {
    it(`refuses the named one if it ${title}`, async () => {
      const [store, volume] = [newVolume(), newVolume()];
      make(store);
      refusedWith(await fetch(claimConfig(store), volume, [...expecting, '--name', name, ...more]), reason, words);
      assert.ok(!existsSync(join(volume, 'in', 'snapshot.db')));
      assert.ok(!existsSync(join(volume, 'in', 'snapshot.db.tmp')));
    });
  }

  it('takes one without a record if it names a member that this cluster had', async () => {
    const [store, volume] = [newVolume(), newVolume()];
    place(store, {name: 'a.db', takenAt: ago(1), record: false});
    const {snapshot} = took(await fetch(claimConfig(store), volume, expecting));
    assert.deepEqual([snapshot.recorded, snapshot.revision, snapshot.clusterID], [false, 1, undefined]);
  });
  it('takes one without a record of other members if a person names it', async () => {
    const [store, volume] = [newVolume(), newVolume()];
    place(store, {name: 'a.db', takenAt: ago(1), member: 'abc', record: false});
    refusedWith(await fetch(claimConfig(store), volume, expecting), 'NoSnapshot', /has the members abc, and this cluster had .*Name it in spec\.snapshot\.name/);
    assert.equal(took(await fetch(claimConfig(store), volume, [...expecting, '--name', 'a.db'])).snapshot.name, 'a.db');
  });
  it('takes one that its record says is another cluster\'s only if a person names it, and tells whose it is', async () => {
    const [store, volume] = [newVolume(), newVolume()];
    place(store, {name: 'a.db', takenAt: ago(1), member: 'abc', record: {clusterID: foreign}});
    refusedWith(await fetch(claimConfig(store), volume, expecting), 'NoSnapshot', /a\.db is of cluster c2, and not of c1\. Name it in spec\.snapshot\.name/);
    const {snapshot} = took(await fetch(claimConfig(store), volume, [...expecting, '--name', 'a.db']));
    assert.deepEqual([snapshot.name, snapshot.clusterID], ['a.db', foreign]);
  });
  it('takes none by itself where it is not known which cluster this is', async () => {
    const [store, volume] = [newVolume(), newVolume()];
    place(store, {name: 'a.db', takenAt: ago(1)});
    const {refused} = refusedWith(await fetch(claimConfig(store), volume), 'NoSnapshot', /its record says c1, and it is not known which cluster this is/);
    assert.equal(refused?.[0]?.reason, 'SnapshotForeign');
    assert.equal(took(await fetch(claimConfig(store), volume, ['--name', 'a.db'])).snapshot.name, 'a.db');
  });
  it('takes the one whose hash was planned with, and no other', async () => {
    const [store, volume] = [newVolume(), newVolume()];
    place(store, {name: 'a.db', takenAt: ago(1)});
    refusedWith(await fetch(claimConfig(store), volume, [...expecting, '--name', 'a.db', '--expect-sha256', 'e'.repeat(64)]), 'SnapshotDamaged', /another one than was recorded/);
    took(await fetch(claimConfig(store), volume, [...expecting, '--name', 'a.db', '--expect-sha256', sha(database()).toString('hex')]));
  });
  it('fetches again what an earlier start has fetched and what then was changed', async () => {
    const [store, volume] = [newVolume(), newVolume()];
    place(store, {name: 'a.db', takenAt: ago(1)});
    const {path = ''} = took(await fetch(claimConfig(store), volume, expecting));
    writeFileSync(join(volume, path), 'something else');
    assert.equal(took(await fetch(claimConfig(store), volume, expecting)).already, false);
    assert.deepEqual(readFileSync(join(volume, path)), snapshotOf(database()));
  });
  it('follows no link, neither in the store nor on the volume', async () => {
    const [store, volume, elsewhere] = [newVolume(), newVolume(), newVolume()];
    place(elsewhere, {name: 'a.db', takenAt: ago(1)});
    symlinkSync(join(elsewhere, 'a.db'), join(store, 'a.db'));
    refusedWith(await fetch(claimConfig(store), volume, [...expecting, '--name', 'a.db']), 'NoSnapshot', /There is no snapshot in/);
    mkdirSync(join(elsewhere, 'out'));
    symlinkSync(join(elsewhere, 'out'), join(volume, 'in'));
    refusedWith(await fetch(claimConfig(elsewhere), volume, expecting), 'UnsafePath', /leads out of the volume/);
  });
});
