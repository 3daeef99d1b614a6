import assert from 'node:assert/strict';
import {createHash} from 'node:crypto';
import {once} from 'node:events';
import {existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync} from 'node:fs';
import {createServer} from 'node:http2';
import type {Http2Server, ServerHttp2Stream} from 'node:http2';
import type {AddressInfo} from 'node:net';
import {join} from 'node:path';
import {parseArguments} from '../../../src/agent/arguments.ts';
import {Refusal} from '../../../src/agent/failure.ts';
import {snapshotChunks} from '../../../src/agent/maintenance.ts';
import type {SnapshotChunk} from '../../../src/agent/maintenance.ts';
import {locateData} from '../../../src/agent/place.ts';
import type {SnapshotFacts} from '../../../src/agent/report.ts';
import {saveSnapshot} from '../../../src/agent/snapshot.ts';
import type {SnapshotOptions} from '../../../src/agent/snapshot.ts';
import {runSnapshot} from '../../../src/agent/streaming.ts';
import {agent, flagsOf, Killed, memberID, newVolume, removeVolumes, snapshotOf, succeed, writeData} from './volumes.ts';

/** A volume whose database is what a snapshot would hold. */
function volume(): {root: string; database: Buffer; target: string} {
  const root = newVolume();
  writeData(root);
  return {root, database: readFileSync(join(root, 'member', 'snap', 'db')), target: join(root, '.quorumrecovery', 'r1', 'snapshot.db')};
}

const sha = (bytes: Buffer): Buffer => createHash('sha256').update(bytes).digest();

/** Messages as etcd sends them: the database in pieces, then its hash. */
function sent(database: Buffer, piece = 4096, hash = sha(database)): SnapshotChunk[] {
  const chunks: SnapshotChunk[] = [];
  for (let at = 0; at < database.length; at += piece) chunks.push({remaining: Math.max(0, database.length - at - piece), blob: database.subarray(at, at + piece)});
  return [...chunks, {remaining: 0, blob: hash}];
}

async function* streamed(chunks: readonly SnapshotChunk[]): AsyncGenerator<SnapshotChunk> {
  for (const chunk of chunks) yield await Promise.resolve(chunk);
}

const argumentsFor = (root: string) => parseArguments([...flagsOf({root, data: root}, 'snapshot'), '--endpoint', 'http://127.0.0.1:1']);

async function save(root: string, chunks: readonly SnapshotChunk[], options: Partial<SnapshotOptions> = {}, onStep?: (what: string) => void): Promise<SnapshotFacts> {
  return await saveSnapshot(locateData(argumentsFor(root), onStep), () => streamed(chunks), {leaveCopy: true, ...options});
}

const refusedWith = (reason: string, words: RegExp) => (error: unknown) => error instanceof Refusal && error.reason === reason && words.test(error.message);

describe('a snapshot of the member that runs on a volume', () => {
  after(removeVolumes);

  it('is the database with its hash at the end, as etcdutl takes it, and tells what is in it', async () => {
    const {root, database, target} = volume();
    const facts = await save(root, sent(database));
    assert.deepEqual(readFileSync(target), Buffer.concat([database, sha(database)]));
    assert.deepEqual(facts, {path: '.quorumrecovery/r1/snapshot.db', bytes: database.length + 32, sha256: sha(database).toString('hex'), revision: 1, consistentIndex: 4, already: false});
    assert.equal(statSync(target).mode & 0o777, 0o600);
  });
  for (const piece of [1, 31, 32, 33, 500, 1 << 20]) {
    it(`is checked whole when it comes ${piece} bytes at a time`, async () => {
      const {root, database} = volume();
      assert.equal((await save(root, sent(database, piece))).sha256, sha(database).toString('hex'));
    });
  }
  it('leaves everything else on the volume as it is', async () => {
    const {root, database} = volume();
    const before = snapshotOf(join(root, 'member'));
    await save(root, sent(database));
    assert.deepEqual(snapshotOf(join(root, 'member')), before);
  });
  it('is kept and checked again by a second run, which asks etcd for nothing', async () => {
    const {root, database} = volume();
    const first = await save(root, sent(database));
    const again = await saveSnapshot(locateData(argumentsFor(root)), () => assert.fail('etcd was asked'), {leaveCopy: true});
    assert.deepEqual(again, {...first, already: true});
  });
  it('is taken anew where the one that is there does not match its hash', async () => {
    const {root, database, target} = volume();
    await save(root, sent(database));
    const bytes = readFileSync(target);
    bytes[100] = (bytes[100] ?? 0) ^ 1;
    writeFileSync(target, bytes);
    assert.equal((await save(root, sent(database))).already, false);
    assert.deepEqual(readFileSync(target), Buffer.concat([database, sha(database)]));
  });
  it('has no name before it is whole: killed at any step, a second run ends with the same file', async () => {
    for (let step = 0; ; step += 1) {
      const {root, database, target} = volume();
      let count = 0;
      const onStep = () => { if (count++ === step) throw new Killed(); };
      const killed = await save(root, sent(database), {}, onStep).then(() => false, (error: unknown) => { if (error instanceof Killed) return true; throw error; });
      if (killed) assert.equal(existsSync(target), false, `step ${step}`);
      await save(root, sent(database));
      assert.deepEqual(readdirSync(join(root, '.quorumrecovery', 'r1')), ['snapshot.db']);
      if (!killed) {
        assert.ok(step > 2);
        return;
      }
    }
  });
  it('is begun anew over what a killed run had received', async () => {
    const {root, database, target} = volume();
    mkdirSync(join(root, '.quorumrecovery', 'r1'), {recursive: true});
    writeFileSync(`${target}.tmp`, database.subarray(0, 500));
    await save(root, sent(database));
    assert.deepEqual(readFileSync(target), Buffer.concat([database, sha(database)]));
  });

  it('leaves the room that what follows it needs, beside a copy or in its place', async () => {
    const {root, database, target} = volume();
    const needed = database.length + 32 + 1_000_000 + (4 << 20);
    const words = new RegExp(`needs ${needed} bytes \\(${database.length + 32} for itself, 1000000 for the data that is built from the database of this member afterwards\\), and ${needed - 1} are free`);
    await assert.rejects(save(root, sent(database), {leaveCopy: false, leave: 1_000_000, free: () => needed - 1}), refusedWith('NoSpace', words));
    assert.equal(existsSync(target), false);
    await save(root, sent(database), {leaveCopy: false, leave: 1_000_000, free: () => needed});
    assert.equal(existsSync(target), true);
  });

  const {database} = volume();
  const wrong = Buffer.from(sha(database));
  wrong[0] = (wrong[0] ?? 0) ^ 1;
  const flipped = Buffer.from(database);
  flipped[300] = (flipped[300] ?? 0) ^ 1;
  const broken: [string, SnapshotChunk[], string, RegExp][] = [
    ['whose hash is another', sent(database, 4096, wrong), 'SnapshotDamaged', /does not match/],
    ['of which one bit came differently', sent(flipped, 4096, sha(database)), 'SnapshotDamaged', /does not match/],
    ['that ends too early', sent(database, 512).slice(0, 2), 'SnapshotDamaged', /ends after 1024 of/],
    ['that ends without its hash', sent(database).slice(0, -1), 'SnapshotDamaged', /ends after/],
    ['that goes on after its end', [...sent(database), {remaining: 0, blob: Buffer.alloc(1)}], 'SnapshotDamaged', /more than/],
    ['without anything in it', [], 'SnapshotDamaged', /ends after 0 of 0/],
    ['that is no database', sent(Buffer.alloc(20_000, 1)), 'Unreadable', /cannot be read/],
  ];
  for (const [title, chunks, reason, words] of broken) {
    it(`is not kept of a stream ${title}`, async () => {
      const {root} = volume();
      await assert.rejects(save(root, chunks), refusedWith(reason, words));
      const left = join(root, '.quorumrecovery', 'r1');
      assert.deepEqual(existsSync(left) ? readdirSync(left) : [], []);
    });
  }
  it('is not kept of another cluster\'s member, which may have the address by now', async () => {
    const {root} = volume();
    await assert.rejects(save(root, sent(database), {expectMember: 'abc'}), refusedWith('MemberMismatch', /without member abc/));
    assert.equal((await save(root, sent(database), {expectMember: memberID})).already, false);
  });
  it('leaves the room that the copy of the data needs, and says how much is missing', async () => {
    const {root} = volume();
    const itself = database.length + 32;
    const refused = await save(root, sent(database), {free: () => itself + (4 << 20) + 1024}).catch((error: unknown) => error);
    assert.ok(refusedWith('NoSpace', new RegExp(`needs \\d+ bytes \\(${itself} for itself, \\d+ for the copy of the data that follows\\), and \\d+ are free`))(refused), String(refused));
    assert.equal(existsSync(join(root, '.quorumrecovery')), false);
    await save(root, sent(database), {leaveCopy: false, free: () => itself + (4 << 20)});
  });
  it('does not replace what is no file of this operator', async () => {
    const {root, target} = volume();
    mkdirSync(target, {recursive: true});
    await assert.rejects(save(root, sent(database)), refusedWith('Conflict', /is no file/));
  });
  it('goes with everything else that the run kept, also one that was never finished', async () => {
    const {root, target} = volume();
    await save(root, sent(database));
    writeFileSync(`${target}.tmp`, 'x');
    const report = succeed(...flagsOf({root, data: root}, 'prune'));
    assert.ok(report.command === 'prune' && report.files === 2 && report.runs[0]?.left === undefined, JSON.stringify(report));
    assert.deepEqual(readdirSync(join(root, '.quorumrecovery', 'r1')), ['sealed']);
  });
});

describe('the stream of a snapshot', () => {
  let server: Http2Server;
  let answer: (stream: ServerHttp2Stream) => void;
  let url = '';
  before(async () => {
    server = createServer();
    server.on('stream', (stream) => {
      stream.on('error', () => undefined);
      answer(stream);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  after(() => { server.close(); });

  const frame = (message: Buffer): Buffer => {
    const prefix = Buffer.alloc(5);
    prefix.writeUInt32BE(message.length, 1);
    return Buffer.concat([prefix, message]);
  };
  const chunk = (remaining: number, blob: string): Buffer => frame(Buffer.concat([Buffer.from([0x10, remaining, 0x1a, blob.length]), Buffer.from(blob)]));
  const headers = {':status': 200, 'content-type': 'application/grpc'};
  const endsWith = (stream: ServerHttp2Stream, trailers: Record<string, string>) => {
    stream.on('wantTrailers', () => { stream.sendTrailers(trailers); });
    stream.respond(headers, {waitForTrailers: true});
  };
  const read = async (limits = {idleMs: 2_000, totalMs: 5_000}) => {
    const got: string[] = [];
    for await (const {remaining, blob} of snapshotChunks({url}, limits)) got.push(`${remaining} ${blob.toString()}`);
    return got;
  };

  it('is taken apart wherever its bytes are cut, and counts with etcd\'s own word that it was all', async () => {
    answer = (stream) => {
      endsWith(stream, {'grpc-status': '0'});
      for (const byte of Buffer.concat([chunk(5, 'one'), chunk(0, 'two')])) stream.write(Buffer.from([byte]));
      stream.end();
    };
    assert.deepEqual(await read(), ['5 one', '0 two']);
  });
  it('tells why etcd gives none', async () => {
    answer = (stream) => { stream.respond({...headers, 'grpc-status': '3', 'grpc-message': 'etcdserver: user name is empty%21'}, {endStream: true}); };
    await assert.rejects(read(), refusedWith('EtcdRefused', /gRPC code 3\): etcdserver: user name is empty!/));
  });
  it('counts as broken without that word', async () => {
    answer = (stream) => {
      stream.respond(headers);
      stream.end(chunk(0, 'all'));
    };
    await assert.rejects(read(), refusedWith('EtcdUnreachable', /ended without a status/));
  });
  it('counts as broken when it stops in the middle of a message', async () => {
    answer = (stream) => {
      endsWith(stream, {'grpc-status': '0'});
      stream.end(chunk(0, 'all').subarray(0, 7));
    };
    await assert.rejects(read(), refusedWith('SnapshotDamaged', /in the middle of a message/));
  });
  it('is broken off, and no snapshot is called damaged, when etcd is gone in the middle of a message', async () => {
    answer = (stream) => {
      stream.respond(headers);
      stream.end(chunk(0, 'all').subarray(0, 7));
    };
    await assert.rejects(read(), refusedWith('EtcdUnreachable', /ended without a status/));
  });
  it('is given up when nothing comes any more', async () => {
    answer = (stream) => {
      stream.respond(headers);
      stream.write(chunk(9, 'first'));
    };
    await assert.rejects(read({idleMs: 50, totalMs: 5_000}), refusedWith('EtcdUnreachable', /nothing came for 0.05 s/));
  });
  it('is given up when it takes too long as a whole, however much comes', async () => {
    answer = (stream) => {
      stream.respond(headers);
      const more = setInterval(() => { stream.write(chunk(9, 'more')); }, 10);
      stream.on('close', () => { clearInterval(more); });
    };
    await assert.rejects(read({idleMs: 2_000, totalMs: 150}), refusedWith('EtcdUnreachable', /not whole after 0.15 s/));
  });
  it('is refused from what is no etcd', async () => {
    answer = (stream) => {
      stream.respond(headers);
      stream.end('HTTP/1.1 400 Bad Request');
    };
    await assert.rejects(read(), refusedWith('SnapshotDamaged', /no message of a snapshot/));
  });
  it('of a port where nobody listens ends at once, as a report', async () => {
    const {root} = volume();
    const {report, exitCode} = await runSnapshot([...flagsOf({root, data: root}, 'snapshot'), '--endpoint', 'http://127.0.0.1:1']);
    assert.ok(!report.ok && report.command === 'snapshot' && report.reason === 'EtcdUnreachable' && /ECONNREFUSED/.test(report.message), JSON.stringify(report));
    assert.equal(exitCode, 1);
  });
  it('needs to be told where etcd is', async () => {
    const {root} = volume();
    const {report} = await runSnapshot(flagsOf({root, data: root}, 'snapshot'));
    assert.ok(!report.ok && report.reason === 'BadUsage' && /--endpoint/.test(report.message), JSON.stringify(report));
    assert.equal(agent(...flagsOf({root, data: root}, 'snapshot'), '--endpoint', 'http://u@h:1').exitCode, 2);
  });
});
