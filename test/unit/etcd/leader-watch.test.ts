import assert from 'node:assert/strict';
import {join} from 'node:path';
import {endOf, watchLeader} from '../../../src/etcd/leader-watch.ts';
import type {LeaderWatch, WatchEnd} from '../../../src/etcd/leader-watch.ts';
import {Connection} from '../../../src/etcd/connection.ts';
import {connectMember} from '../../../src/etcd/member.ts';
import {eventually, hasLeader, local, makeCertificates, Processes} from './etcd-process.ts';

const binaries = process.env['ETCD_BIN_DIR'];

describe('the end of a watch that asked for a leader', () => {
  it('is told apart: no leader, a broken connection, a refusal', () => {
    const kinds = [
      {code: 14, details: 'etcdserver: no leader'}, {code: 14, details: 'No connection established. Last error: connect ECONNREFUSED'},
      {code: 16, details: 'etcdserver: invalid auth token'}, {code: 7, details: 'etcdserver: permission denied'},
    ].map((failure) => endOf(failure).kind);
    assert.deepEqual(kinds, ['NoLeader', 'Broken', 'Refused', 'Refused']);
  });
});

describe('a watch on a real etcd', function () {
  this.timeout(60_000);
  let processes: Processes;
  const open: LeaderWatch[] = [];

  before(function () {
    if (binaries === undefined) {
      console.log('    skipped: set ETCD_BIN_DIR to a folder that holds etcd and etcdctl');
      this.skip();
    }
    processes = new Processes(join(binaries, 'etcd'));
  });
  afterEach(() => { for (const watch of open.splice(0)) watch.close(); });
  after(async () => { if (binaries !== undefined) await processes.end(); });

  const follow = (port: number, more: object = {}): WatchEnd[] => {
    const heard: WatchEnd[] = [];
    const connection = new Connection(local(port, more));
    const watch = watchLeader(() => connection.openWatch({hasleader: 'true'}), {onOpen: () => undefined, onEnd: (end) => { heard.push(end); }});
    open.push({close: () => { watch.close(); connection.close(); }});
    return heard;
  };
  const untilOne = async (heard: WatchEnd[]): Promise<WatchEnd> => await eventually(() => {
    const [end] = heard;
    return end === undefined ? Promise.reject(new Error('the watch is still open')) : Promise.resolve(end);
  });

  it('ends by itself when two of three members are killed, and says that there is no leader', async () => {
    const ports = await processes.ports(6);
    const names = ['a', 'b', 'c'];
    const cluster = names.map((name, index) => `${name}=http://127.0.0.1:${ports[index + 3] ?? 0}`).join(',');
    const children = names.map((name, index) => processes.start(name, {client: ports[index] ?? 0, peer: ports[index + 3] ?? 0}, cluster));
    const survivor = connectMember(local(ports[0] ?? 0), {deadlineMs: 1_000});
    try {
      await hasLeader(survivor);
      const heard = follow(ports[0] ?? 0);
      // A second member's watch tells that the connection broke: it is killed.
      const killed = follow(ports[1] ?? 0);
      await eventually(async () => { await survivor.put('k', 'v'); });
      assert.deepEqual(heard, []);
      await Promise.all(children.slice(1).map(async (child) => { await processes.stop(child); }));
      assert.equal((await untilOne(heard)).kind, 'NoLeader');
      assert.equal((await untilOne(killed)).kind, 'Broken');
    } finally {
      survivor.close();
    }
  });

  it('is held over TLS, and ends as broken or refused with certificates that the member does not take', async () => {
    const certificates = makeCertificates(processes.directory);
    const [client = 0, peer = 0] = await processes.ports(2);
    const {certFile, keyFile, caFile} = certificates.server;
    processes.start('tls', {client, peer}, `tls=http://127.0.0.1:${peer}`, {
      scheme: 'https', args: [`--cert-file=${certFile}`, `--key-file=${keyFile}`, `--trusted-ca-file=${caFile}`, '--client-cert-auth'],
    });
    const member = connectMember(local(client, {tls: certificates.client}), {deadlineMs: 1_000});
    try {
      await hasLeader(member);
      const good = follow(client, {tls: certificates.client});
      const bad = follow(client, {tls: certificates.foreign});
      assert.match((await untilOne(bad)).kind, /Refused|Broken/);
      assert.deepEqual(good, []);
    } finally {
      member.close();
    }
  });

  it('says nothing any more once it was closed', async () => {
    const [client = 0, peer = 0] = await processes.ports(2);
    const child = processes.start('one', {client, peer}, `one=http://127.0.0.1:${peer}`);
    const member = connectMember(local(client), {deadlineMs: 1_000});
    await hasLeader(member);
    member.close();
    const heard = follow(client);
    const other = follow(client);
    await new Promise((resolve) => { setImmediate(resolve); });
    open[0]?.close();
    await processes.stop(child);
    await untilOne(other);
    assert.deepEqual(heard, []);
  });
});
