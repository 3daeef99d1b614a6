import assert from 'node:assert/strict';
import {execFileSync} from 'node:child_process';
import {readFile} from 'node:fs/promises';
import {join} from 'node:path';
import {connectMember, EtcdError, MemberPool, probePeer} from '../../../src/etcd/member.ts';
import type {EtcdEndpoint, EtcdErrorKind, EtcdMember} from '../../../src/etcd/member.ts';
import {readWal} from '../../../src/etcd/wal/wal.ts';
import {eventually, hasLeader, local, makeCertificates, Processes} from './etcd-process.ts';
import type {Certificates} from './etcd-process.ts';

const binaries = process.env['ETCD_BIN_DIR'];

async function failsAs(kind: EtcdErrorKind, call: Promise<unknown>, text = /./): Promise<void> {
  await assert.rejects(call, (error: unknown) => {
    assert.ok(error instanceof EtcdError, String(error));
    assert.equal(error.kind, kind, error.message);
    assert.match(error.message, text);
    return true;
  });
}

describe('a real etcd', function () {
  this.timeout(60_000);
  let processes: Processes;
  const open: EtcdMember[] = [];
  const connect = (endpoint: EtcdEndpoint, deadlineMs = 2_000): EtcdMember => {
    const member = connectMember(endpoint, {deadlineMs});
    open.push(member);
    return member;
  };

  before(function () {
    if (binaries === undefined) {
      console.log('    skipped: set ETCD_BIN_DIR to a folder that holds etcd and etcdctl');
      this.skip();
    }
    processes = new Processes(join(binaries, 'etcd'));
  });
  afterEach(() => {
    for (const member of open.splice(0)) member.close();
  });
  after(async function () {
    if (binaries !== undefined) await processes.end();
  });

  describe('with one member', () => {
    let client = 0;
    let peer = 0;
    let free = 0;

    before(async () => {
      [client = 0, peer = 0, free = 0] = await processes.ports(3);
      processes.start('one', {client, peer}, `one=http://127.0.0.1:${peer}`);
      await eventually(() => connect(local(client), 500).status());
    });

    it('moves its revision on by so many, and ends watches of what is compacted, without waiting for the disk', async () => {
      const member = connect(local(client), 30_000);
      const before = (await member.status()).revision;
      assert.deepEqual(await member.advance('moved', 1_000), {revision: before + 1_000});
      assert.equal((await member.status()).revision, before + 1_000);
      assert.deepEqual(await member.advance('moved', 1), {revision: before + 1_001});
      await member.compact(before + 1_001, {inBackground: true});
      await failsAs('Compacted', member.compact(before + 1_001));
      await member.deleteKey('moved');
    });

    it('writes many keys in one transaction, of any bytes, and reads them back in the order asked for', async () => {
      const member = connect(local(client));
      const before = (await member.status()).revision;
      const entries = [{key: Buffer.from('txn/a'), value: Buffer.from('1')}, {key: Buffer.from([0, 255]), value: Buffer.from([254, 0])}, {key: Buffer.from('txn/empty'), value: Buffer.alloc(0)}];
      await member.putAll(entries);
      assert.equal((await member.status()).revision, before + 1, 'one transaction is one revision');
      const values = await member.getAll([Buffer.from('txn/none'), ...entries.map(({key}) => key)]);
      assert.deepEqual(values.map((value) => value?.toString('hex')), [undefined, '31', 'fe00', '']);
      await failsAs('Other', member.putAll([...entries, ...entries]), /duplicate key/);
    });

    it('tells its state in hex IDs and numbers', async () => {
      const status = await connect(local(client)).status();
      assert.match(status.memberID, /^[0-9a-f]{1,16}$/);
      assert.equal(status.leader, status.memberID);
      assert.match(status.version, /^3\.\d+\.\d+$/);
      assert.ok(status.raftIndex > 0 && status.raftAppliedIndex > 0 && status.raftTerm > 0 && status.dbSizeBytes > 0);
      assert.equal(status.isLearner, false);
      assert.deepEqual(status.errors, []);
    });

    it('lists itself the same on the client port and on the peer port', async () => {
      const listed = await connect(local(client)).memberList({linearizable: true});
      assert.equal(listed.members.length, 1);
      assert.equal(listed.members[0]?.name, 'one');
      assert.deepEqual(await probePeer('127.0.0.1', peer), listed);
    });

    it('writes, reads, deletes and hashes', async () => {
      const member = connect(local(client));
      const {revision} = await member.put('a', 'ä');
      assert.equal((await member.get('a')).value?.toString(), 'ä');
      assert.equal((await member.get('a', {serializable: true})).revision, revision);
      const hash = await member.hashKV(revision);
      assert.deepEqual(await member.hashKV(revision), hash);
      assert.ok(hash.hash > 0);
      await member.deleteKey('a');
      assert.equal((await member.get('a')).value, undefined);
      assert.notEqual((await member.hashKV(0)).hash, hash.hash);
      await failsAs('NotReady', member.hashKV(revision + 1000), /future revision/);
    });

    it('forgets its history up to a revision, once, and writes its database anew', async () => {
      const member = connect(local(client));
      await member.put('history', 'old');
      const {revision} = await member.put('history', 'new');
      await member.compact(revision);
      await failsAs('Compacted', member.compact(revision), /compacted/);
      await member.defragment();
      assert.equal((await member.get('history')).value?.toString(), 'new');
    });

    it('has no alarms, and disarming one that is not there does no harm', async () => {
      const member = connect(local(client));
      assert.deepEqual(await member.alarms(), []);
      await member.disarm({memberID: (await member.status()).memberID, alarm: 'NOSPACE'});
      assert.equal(await member.authEnabled(), false);
    });

    it('says that its database is full, and takes writes again once it is compacted, defragmented and disarmed', async () => {
      const [client = 0, peer = 0] = await processes.ports(2);
      processes.start('full', {client, peer}, `full=http://127.0.0.1:${peer}`, {args: ['--quota-backend-bytes=4194304']});
      const member = await eventually(async () => {
        const candidate = connect(local(client), 2_000);
        await candidate.put('first', 'write');
        return candidate;
      });
      const value = 'x'.repeat(400_000);
      // etcd looks at the size of the file, which grows with each commit of the backend: every 100 ms, and a fast disk takes dozens of writes in between.
      await failsAs('NoSpace', (async () => { for (let round = 0; round < 1_000; round += 1) await member.put('big', `${round}${value}`); })(), /space exceeded/);
      const {memberID, revision} = await member.status();
      assert.deepEqual(await member.alarms(), [{memberID, alarm: 'NOSPACE'}]);
      await member.compact(revision);
      await member.defragment();
      await member.disarm({memberID, alarm: 'NOSPACE'});
      assert.deepEqual(await member.alarms(), []);
      await member.put('after', 'it');
    });

    it('refuses what cannot be with the right kinds', async () => {
      const member = connect(local(client));
      const {memberID} = await member.status();
      await failsAs('NotFound', member.removeMember('8e9e05c52164694d'));
      await failsAs('NotFound', member.promote('ffffffffffffffff'));
      await failsAs('MemberExists', member.addLearner([`http://127.0.0.1:${peer}`]));
      await member.promote(memberID);
    });

    it('takes one learner, not two, promotes it only when it runs and is in sync, and hands leadership over to voters alone', async () => {
      const member = connect(local(client));
      const {memberID} = await member.status();
      const [learnerClient = 0, learnerPeer = 0] = await processes.ports(2);
      const added = await eventually(() => member.addLearner([`http://127.0.0.1:${learnerPeer}`]));
      assert.deepEqual([added.name, added.isLearner], ['', true]);
      await failsAs('TooManyLearners', member.addLearner([`http://127.0.0.1:${free}`]));
      await failsAs('Other', member.moveLeader(added.id), /bad leader transferee/);
      await failsAs('NotReady', member.promote(added.id));
      const child = processes.start('two', {client: learnerClient, peer: learnerPeer},
        `one=http://127.0.0.1:${peer},two=http://127.0.0.1:${learnerPeer}`, {state: 'existing'});
      const learner = connect(local(learnerClient));
      const status = await eventually(() => learner.status());
      assert.deepEqual([status.memberID, status.isLearner], [added.id, true]);
      await failsAs('LearnerRefused', learner.memberList());
      await failsAs('LearnerRefused', learner.get('a'));
      await learner.get('a', {serializable: true});
      await eventually(() => member.promote(added.id));
      await member.promote(added.id);
      assert.equal((await learner.memberList()).members.length, 2);
      await failsAs('NoLeader', learner.moveLeader(added.id), /not leader/);
      await failsAs('Other', member.moveLeader('ffffffffffffffff'), /bad leader transferee/);
      await member.moveLeader(added.id);
      assert.equal((await member.status()).leader, added.id);
      await learner.moveLeader(memberID);
      assert.equal((await learner.status()).leader, memberID);
      await eventually(() => member.removeMember(added.id));
      await failsAs('NotFound', member.removeMember(added.id));
      await processes.stop(child);
    });

    it('knows a dead port from a member that does not answer', async () => {
      await failsAs('Unreachable', connect(local(free)).status(), /ECONNREFUSED/);
      await failsAs('Unreachable', probePeer('127.0.0.1', free), /ECONNREFUSED/);
      await failsAs('Unreachable', connect({address: 'no-such-name.invalid', port: 2379}).status());
      await failsAs('Other', probePeer('127.0.0.1', client));
    });

    it('is asked through a pool that closes idle connections and connects again', async () => {
      let now = 0;
      const pool = new MemberPool({idleMs: 1000, now: () => now});
      const member = pool.member(local(client));
      await Promise.all([member.status(), pool.member(local(client)).status()]);
      assert.equal(pool.size, 1);
      now = 2000;
      pool.closeIdle();
      assert.equal(pool.size, 0);
      await member.status();
      assert.equal(pool.size, 1);
      pool.close();
    });
  });

  it('says that authentication is on without a password, and lets its root in', async () => {
    const [client = 0, peer = 0] = await processes.ports(2);
    const child = processes.start('auth', {client, peer}, `auth=http://127.0.0.1:${peer}`);
    const nobody = connect(local(client));
    await eventually(() => nobody.status());
    const etcdctl = (...args: string[]): void => {
      execFileSync(join(binaries ?? '', 'etcdctl'), [`--endpoints=http://127.0.0.1:${client}`, ...args], {stdio: 'ignore'});
    };
    assert.equal(await nobody.authEnabled(), false);
    const early = connect(local(client, {auth: {username: 'root', password: 'secret'}}));
    await early.put('before', 'x');
    etcdctl('user', 'add', 'root:secret');
    etcdctl('user', 'grant-role', 'root', 'root');
    etcdctl('user', 'add', 'guest:secret');
    etcdctl('auth', 'enable');
    assert.equal(await nobody.authEnabled(), true);
    await failsAs('Unauthenticated', nobody.put('a', 'b'));
    const root = connect(local(client, {auth: {username: 'root', password: 'secret'}}));
    assert.equal(await root.authEnabled(), true);
    assert.equal((await root.status()).errors.length, 0);
    await root.memberList();
    await root.put('a', 'b');
    await early.put('a', 'c');
    const {revision} = await root.status();
    assert.deepEqual(await connect(local(client, {auth: {username: 'root', password: 'secret'}}), 30_000).advance('a', 500), {revision: revision + 500});
    assert.ok((await root.hashKV(0)).hash > 0);
    await failsAs('Unauthenticated', connect(local(client, {auth: {username: 'root', password: 'wrong'}})).put('a', 'b'));
    await failsAs('PermissionDenied', connect(local(client, {auth: {username: 'guest', password: 'secret'}})).put('a', 'b'));
    await processes.stop(child);
  });

  describe('with three members', () => {
    let ports: {client: number; peer: number}[] = [];
    let cluster = '';
    const children: ReturnType<Processes['start']>[] = [];
    const name = (index: number): string => `m${index}`;

    before(async () => {
      const free = await processes.ports(6);
      ports = [0, 1, 2].map(index => ({client: free[index * 2] ?? 0, peer: free[index * 2 + 1] ?? 0}));
      cluster = ports.map(({peer}, index) => `${name(index)}=http://127.0.0.1:${peer}`).join(',');
      ports.forEach((port, index) => children.push(processes.start(name(index), port, cluster, {args: [`--listen-metrics-urls=http://127.0.0.1:0`]})));
      await Promise.all(ports.map(port => hasLeader(connect(local(port.client), 1000))));
    });

    it('a stopped process is a Timeout, and its connection is not used again when it goes on', async () => {
      const member = connect(local(ports[2]?.client ?? 0), 500);
      await member.status();
      children[2]?.kill('SIGSTOP');
      // The signal is sent, and each of its threads goes on until the kernel has told it.
      await eventually(async () => { assert.match(await readFile(`/proc/${children[2]?.pid ?? 0}/stat`, 'utf8'), /\) T /); });
      const started = performance.now();
      await failsAs('Timeout', member.status());
      await failsAs('Timeout', member.status());
      await failsAs('Timeout', probePeer('127.0.0.1', ports[2]?.peer ?? 0, undefined, {timeoutMs: 300}));
      assert.ok(performance.now() - started < 10_000, 'the deadlines were not kept');
      children[2]?.kill('SIGCONT');
      await eventually(() => member.status(), 3_000);
    });

    it('without quorum it still tells its state, and what needs a quorum ends in time', async () => {
      const survivor = connect(local(ports[0]?.client ?? 0), 1_500);
      const {clusterID} = await survivor.memberList();
      await survivor.put('k', 'v');
      for (const child of children.slice(1)) await processes.stop(child);
      await eventually(async () => { assert.equal((await survivor.status()).leader, ''); });
      assert.ok((await survivor.status()).errors.some(text => text.includes('no leader')));
      assert.equal((await survivor.memberList()).members.length, 3);
      assert.equal((await survivor.get('k', {serializable: true})).value?.toString(), 'v');
      assert.ok((await survivor.hashKV(0)).hash > 0);
      assert.equal(await survivor.authEnabled(), false);
      const calls = [survivor.put('k', 'w'), survivor.get('k'), survivor.alarms(), survivor.memberList({linearizable: true})];
      await Promise.all(calls.map(call => assert.rejects(call, (error: unknown) =>
        error instanceof EtcdError && (error.kind === 'Timeout' || error.kind === 'NoLeader'))));
      await assert.rejects(survivor.addLearner(['http://127.0.0.1:1']), (error: unknown) =>
        error instanceof EtcdError && ['Timeout', 'Unhealthy', 'NoLeader'].includes(error.kind));
      assert.equal((await probePeer('127.0.0.1', ports[0]?.peer ?? 0)).clusterID, clusterID);
    });

    it('restarted without quorum it serves no client, and its peer port answers', async () => {
      const {client = 0, peer = 0} = ports[0] ?? {};
      if (children[0] !== undefined) await processes.stop(children[0]);
      children[0] = processes.start(name(0), {client, peer}, cluster);
      const probed = await eventually(() => probePeer('127.0.0.1', peer));
      assert.equal(probed.members.length, 3);
      await failsAs('Timeout', connect(local(client), 700).status());
    });
  });

  it('tells the term of the last entry that it has applied, however often it campaigns: also where it asks nobody before', async () => {
    const free = await processes.ports(4);
    const ports = [0, 1].map(index => ({client: free[index * 2] ?? 0, peer: free[index * 2 + 1] ?? 0}));
    const cluster = ports.map(({peer}, index) => `campaigns-${index}=http://127.0.0.1:${peer}`).join(',');
    const args = ['--pre-vote=false', '--heartbeat-interval=50', '--election-timeout=250'];
    const children = ports.map((port, index) => processes.start(`campaigns-${index}`, port, cluster, {args}));
    const member = connect(local(ports[0]?.client ?? 0));
    await hasLeader(member);
    await member.put('k', 'v');
    const before = (await member.status()).raftTerm;
    if (children[1] !== undefined) await processes.stop(children[1]);
    const wal = (): ReturnType<typeof readWal> => readWal(join(processes.directory, 'campaigns-0', 'member', 'wal'));
    await eventually(() => { assert.ok((wal()?.hardState.term ?? 0) >= before + 3); return Promise.resolve(); });
    const {leader, raftTerm} = await member.status();
    assert.deepEqual([leader, raftTerm, wal()?.lastEntryTerm], ['', before, before]);
    if (children[0] !== undefined) await processes.stop(children[0]);
  });

  describe('with TLS', () => {
    let certificates: Certificates;
    let client = 0;
    let peerPort = 0;
    const tls = (tlsOptions: EtcdEndpoint['tls'], more: Partial<EtcdEndpoint> = {}): EtcdMember =>
      connect(local(client, {...(tlsOptions === undefined ? {} : {tls: tlsOptions}), ...more}), 1_500);

    before(async () => {
      certificates = makeCertificates(processes.directory);
      const [clientPort = 0, peer = 0] = await processes.ports(2);
      client = clientPort;
      peerPort = peer;
      const {certFile, keyFile, caFile} = certificates.server;
      processes.start('tls', {client, peer}, `tls=https://127.0.0.1:${peer}`, {
        scheme: 'https', peerScheme: 'https',
        args: ['', 'peer-'].flatMap(kind => [`--${kind}cert-file=${certFile}`, `--${kind}key-file=${keyFile}`, `--${kind}trusted-ca-file=${caFile}`]),
      });
      await eventually(() => tls(certificates.client).status());
    });

    it('serves a client with the right certificate, also under another server name', async () => {
      await tls(certificates.client).put('k', 'v');
      await tls({...certificates.client, serverName: 'etcd-0.etcd.db.svc'}).status();
      assert.equal(await tls(certificates.client).authEnabled(), false);
    });

    it('names what is wrong with a certificate', async () => {
      const {client: good, expired, foreign, ca} = certificates;
      await failsAs('Certificate', tls({ca}).status(), /no client certificate|wants a client certificate|none was sent/);
      await failsAs('Certificate', tls(expired).status(), /expired|refused the client certificate/);
      await failsAs('Certificate', tls(foreign).status(), /refused the client certificate|does not know the CA/);
      await failsAs('Certificate', tls({...good, ca: certificates.otherCA}).status(), /unknown CA/);
      await failsAs('Certificate', tls({...good, serverName: 'etcd-9.etcd.db.svc'}).status(), /name is not in/);
      await failsAs('Certificate', tls({...good, key: foreign.key ?? ''}).status(), /cannot be used/);
      await failsAs('Certificate', tls({ca: 'nonsense'}).status());
    });

    it('answers a peer probe with a certificate, and names what is wrong with one', async () => {
      const {client: good, foreign, ca} = certificates;
      const {clusterID} = await tls(good).memberList();
      assert.equal((await probePeer('127.0.0.1', peerPort, good)).clusterID, clusterID);
      await failsAs('Certificate', probePeer('127.0.0.1', peerPort, {ca}));
      await failsAs('Certificate', probePeer('127.0.0.1', peerPort, foreign));
      await failsAs('Certificate', probePeer('127.0.0.1', peerPort, {...good, serverName: 'other'}), /name is not in/);
      await failsAs('Certificate', probePeer('127.0.0.1', peerPort, {...good, ca: certificates.otherCA}), /unknown CA/);
      await failsAs('Certificate', probePeer('127.0.0.1', peerPort, {...good, key: foreign.key ?? ''}), /cannot be used/);
    });

    it('a client without TLS is told so', async () => {
      await failsAs('Certificate', tls(undefined).status(), /TLS/);
    });

    it('a dead port stays Unreachable with TLS', async () => {
      const [free = 0] = await processes.ports(1);
      await failsAs('Unreachable', connect(local(free, {tls: certificates.client})).status());
    });
  });
});
