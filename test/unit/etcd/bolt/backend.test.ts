import assert from 'node:assert/strict';
import fc from 'fast-check';
import {readBackendFile} from '../../../../src/etcd/bolt/backend.ts';
import {BoltError, fnv64a} from '../../../../src/etcd/bolt/meta.ts';
import {boltBytes, boltFile, branch, bucketAt, inlineBucket, leaf, metaPage, pageSize, revision, uint64} from './builder.ts';

const memberID = '8e9e05c52164694d';
const member = {id: 10276657743932975437, peerURLs: ['http://a:2380'], name: 'a', clientURLs: ['http://a:2379']};

/** Page 2 freelist (unused here), 3 root, 4 `key` branch, 5 to 7 its leaves (7 with overflow). */
function database(txid = 8, consistentIndex = 42): Buffer {
  const root = leaf(3, [
    {key: 'cluster', value: inlineBucket([{key: 'clusterVersion', value: Buffer.from('3.6.0')}]), bucket: true},
    {key: 'key', value: bucketAt(4), bucket: true},
    {key: 'members', value: inlineBucket([{key: memberID, value: Buffer.from(JSON.stringify(member))}]), bucket: true},
    {key: 'members_removed', value: inlineBucket([{key: '1', value: Buffer.from('removed')}]), bucket: true},
    {key: 'meta', value: inlineBucket([
      {key: 'consistent_index', value: uint64(consistentIndex)},
      {key: 'finishedCompactRev', value: revision(5)},
      {key: 'term', value: uint64(6)},
    ]), bucket: true},
  ]);
  return boltBytes([
    metaPage(0, 3, 9, txid), metaPage(1, 3, 9, txid - 1), undefined, root,
    branch(4, [{key: revision(2), page: 5}, {key: revision(4), page: 6}, {key: revision(6), page: 7}]),
    leaf(5, [{key: revision(2), value: Buffer.from('x')}, {key: revision(3), value: Buffer.from('x')}]),
    leaf(6, [{key: revision(4), value: Buffer.from('x')}]),
    leaf(7, [{key: revision(6), value: Buffer.alloc(1200, 1)}, {key: revision(7, 1), value: Buffer.from('x')}], 1),
  ]);
}

describe('readBackendFile', () => {
  it('reads consistent index, term, revision, members, removed members and cluster version', () => {
    assert.deepEqual(readBackendFile(boltFile(database())), {
      consistentIndex: 42, term: 6, revision: 7, clusterVersion: '3.6.0', removed: ['1'], sizeBytes: 9 * pageSize,
      members: [{id: memberID, name: 'a', peerURLs: ['http://a:2380'], clientURLs: ['http://a:2379'], isLearner: false}],
    });
  });

  it('reads the alarms that stand in it, and whether it asks for a user', () => {
    const noSpace = Buffer.from([0x08, 0xcd, 0x93, 0x99, 0x8b, 0xd2, 0xb8, 0xc1, 0xcf, 0x8e, 0x01, 0x10, 0x01]);
    const of = (alarms: Buffer[], auth: number) => readBackendFile(boltFile(boltBytes([metaPage(0, 3, 4, 2), metaPage(1, 3, 4, 1), undefined, leaf(3, [
      {key: 'alarm', value: inlineBucket(alarms.map((key) => ({key, value: Buffer.alloc(0)}))), bucket: true},
      {key: 'auth', value: inlineBucket([{key: 'authEnabled', value: Buffer.of(auth)}]), bucket: true},
    ])])));
    const {alarms, authEnabled} = of([noSpace, Buffer.from([0x08, 0x07, 0x10, 0x02]), Buffer.from([0x08, 0x07, 0x10, 0x09])], 1);
    assert.deepEqual([alarms, authEnabled], [[{memberID: '8e9f05c5216649cd', alarm: 'NOSPACE'}, {memberID: '7', alarm: 'CORRUPT'}], true]);
    const none = of([], 0);
    assert.deepEqual([none.alarms, none.authEnabled], [undefined, undefined]);
    assert.throws(() => of([Buffer.from([0x08])], 0), /an alarm cannot be read: message cut off/);
  });

  it('reads a backend without any bucket as that of revision 1', () => {
    const empty = boltBytes([metaPage(0, 3, 4, 0), metaPage(1, 3, 4, 1), undefined, leaf(3, [])]);
    assert.deepEqual(readBackendFile(boltFile(empty)), {consistentIndex: 0, term: 0, revision: 1, members: [], removed: [], sizeBytes: 4 * pageSize});
  });

  it('takes the revision of the last compaction where compaction has removed the last keys', () => {
    const root = leaf(3, [{key: 'meta', value: inlineBucket([{key: 'scheduledCompactRev', value: revision(90)}]), bucket: true}]);
    assert.equal(readBackendFile(boltFile(boltBytes([metaPage(0, 3, 4, 2), metaPage(1, 3, 4, 1), undefined, root]))).revision, 90);
  });

  it('takes the valid meta page with the higher transaction ID, whichever is damaged', () => {
    for (const [damaged, txid] of [[0, 8], [pageSize, 8]] as const) {
      const bytes = database(txid);
      bytes.fill(0xff, damaged + 16, damaged + 48);
      assert.equal(readBackendFile(boltFile(bytes)).revision, 7);
    }
    const none = database();
    none.fill(0, 16, 24);
    none.fill(0, pageSize + 16, pageSize + 24);
    assert.throws(() => readBackendFile(boltFile(none)), /neither meta page is valid/);
    assert.throws(() => readBackendFile(boltFile(Buffer.alloc(0))), BoltError);
  });

  it('reads again when a transaction was committed meanwhile, and reports one state only', () => {
    const bytes = database(8, 42);
    let reads = 0;
    const file = boltFile(bytes, () => {
      reads++;
      if (reads === 4) {
        database(10, 99).copy(bytes);
      }
    });
    assert.equal(readBackendFile(file).consistentIndex, 99);
  });

  it('gives up with an error where every attempt meets a new transaction', () => {
    const bytes = database();
    let txid = 8;
    const file = boltFile(bytes, () => {
      txid += 2;
      database(txid).copy(bytes);
    });
    assert.throws(() => readBackendFile(file), /was written to during each of 50 attempts/);
  });

  it('ends in an error on a cycle, a page outside the file, and a page that is not the one it should be', () => {
    const root = (page: number): Buffer => leaf(3, [{key: 'members', value: bucketAt(page), bucket: true}]);
    const file = (page: number, ...rest: (Buffer | undefined)[]): Buffer =>
      boltBytes([metaPage(0, 3, 6, 2), metaPage(1, 3, 6, 1), undefined, root(page), ...rest]);
    const cycle = branch(4, [{key: Buffer.from('a'), page: 5}]);
    const back = branch(5, [{key: Buffer.from('a'), page: 4}]);
    const cases: [Buffer, RegExp][] = [
      [file(4, cycle, back), /reached twice/],
      [file(77, cycle, back), /outside the file/],
      [file(1, cycle, back), /outside the file/],
      [file(4, back, cycle), /does not carry its own number/],
      [file(4, undefined, cycle), /does not carry its own number/],
    ];
    for (const [bytes, message] of cases) {
      assert.throws(() => readBackendFile(boltFile(bytes)), message);
    }
    const keyCycle = boltBytes([
      metaPage(0, 3, 6, 2), metaPage(1, 3, 6, 1), undefined, leaf(3, [{key: 'key', value: bucketAt(4), bucket: true}]), cycle, back,
    ]);
    assert.throws(() => readBackendFile(boltFile(keyCycle)), /without end/);
  });

  it('reads or throws BoltError, and always ends, whatever bytes are changed', () => {
    fc.assert(fc.property(fc.array(fc.tuple(fc.nat(9 * pageSize - 1), fc.nat(255)), {minLength: 1, maxLength: 6}), (changes) => {
      const bytes = database();
      for (const [at, value] of changes) {
        bytes[at] = value;
      }
      try {
        readBackendFile(boltFile(bytes));
      } catch (error) {
        assert.ok(error instanceof BoltError, String(error));
      }
    }), {numRuns: 2000});
  });

  it('ends in BoltError for a file that was cut off anywhere', () => {
    const bytes = database();
    for (let size = 0; size < 8 * pageSize; size += 64) {
      assert.throws(() => readBackendFile(boltFile(bytes.subarray(0, size))), BoltError, `cut at ${size}`);
    }
  });
});

describe('fnv64a', () => {
  it('gives the published values', () => {
    assert.equal(fnv64a(Buffer.from('')), 0xcbf29ce484222325n);
    assert.equal(fnv64a(Buffer.from('foobar')), 0x85944171f73967e8n);
  });
});
