import assert from 'node:assert/strict';
import {chmodSync, mkdtempSync, writeFileSync} from 'node:fs';
import {createServer} from 'node:http';
import type {IncomingMessage, Server} from 'node:http';
import type {AddressInfo} from 'node:net';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {stringify} from 'yaml';
import {HttpApi} from '../../../src/cli/kube/http.ts';
import {connectionOf, contextNames} from '../../../src/cli/kube/kubeconfig.ts';
import {ApiError} from '../../../src/kubernetes/errors.ts';
import {resourceOf} from './fake.ts';

const directory = mkdtempSync(join(tmpdir(), 'kubeconfig-'));

function config(name: string, content: object): string {
  const path = join(directory, name);
  writeFileSync(path, stringify(content));
  return path;
}

const base64 = (text: string) => Buffer.from(text).toString('base64');

const full = (user: object, cluster: object = {}) => ({
  'current-context': 'main',
  'contexts': [{name: 'main', context: {cluster: 'one', user: 'me', namespace: 'db'}}, {name: 'other', context: {cluster: 'one', user: 'me'}}],
  'clusters': [{name: 'one', cluster: {server: 'https://10.0.0.1:6443/', 'certificate-authority-data': base64('ca'), ...cluster}}],
  'users': [{name: 'me', user}],
});

describe('the plugin\'s kubeconfig', () => {
  it('is read as kubectl reads it: context, namespace, certificates, token', async () => {
    writeFileSync(join(directory, 'key.pem'), 'key');
    const path = config('full', full({'client-certificate-data': base64('cert'), 'client-key': 'key.pem', 'token': 't'}, {'tls-server-name': 'name'}));
    const found = await connectionOf({kubeconfig: path});
    assert.deepEqual({...found, ca: found.ca?.toString(), cert: found.cert?.toString(), key: found.key?.toString()}, {
      server: 'https://10.0.0.1:6443', namespace: 'db', ca: 'ca', cert: 'cert', key: 'key', serverName: 'name', insecure: false, headers: {authorization: 'Bearer t'},
    });
    assert.equal((await connectionOf({kubeconfig: path, context: 'other'})).namespace, 'default');
    assert.equal((await connectionOf({kubeconfig: path, namespace: 'n'})).namespace, 'n');
    await assert.rejects(connectionOf({kubeconfig: path, context: 'none'}), /no context named "none"; it has main, other/);
    assert.deepEqual(contextNames(path), ['main', 'other']);
    assert.deepEqual(contextNames('/nowhere'), []);
  });

  it('may stand in several files, the first of which counts', async () => {
    const first = config('first', {'current-context': 'other'});
    const second = config('second', full({token: 't'}));
    assert.equal((await connectionOf({}, {KUBECONFIG: `${first}:${second}`})).namespace, 'default');
    assert.equal((await connectionOf({}, {KUBECONFIG: `${second}:${first}:/nowhere`})).namespace, 'db');
  });

  it('asks the program that it names, and says how to get it where it is missing', async () => {
    const program = join(directory, 'login');
    writeFileSync(program, '#!/bin/sh\necho "{\\"status\\": {\\"token\\": \\"$1-$EXTRA\\"}}"\n');
    chmodSync(program, 0o755);
    const path = config('exec', full({exec: {command: './login', args: ['a'], env: [{name: 'EXTRA', value: 'b'}]}}));
    assert.deepEqual((await connectionOf({kubeconfig: path})).headers, {authorization: 'Bearer a-b'});
    const missing = config('missing', full({exec: {command: 'no-such-login-program', installHint: 'Install it from there'}}));
    await assert.rejects(connectionOf({kubeconfig: missing}), /no-such-login-program, which is not there\nInstall it from there/);
  });

  it('says what it cannot do, and never sends credentials to another server', async () => {
    const proxied = config('proxied', full({token: 't'}, {'proxy-url': 'http://proxy'}));
    await assert.rejects(connectionOf({kubeconfig: proxied}), /kubectl proxy.*--server/s);
    assert.deepEqual(await connectionOf({kubeconfig: proxied, server: 'http://127.0.0.1:8001'}), {server: 'http://127.0.0.1:8001', namespace: 'db', insecure: false, headers: {}});
    await assert.rejects(connectionOf({kubeconfig: config('legacy', full({'auth-provider': {name: 'oidc'}}))}), /auth-provider oidc/);
    writeFileSync(join(directory, 'broken'), '{');
    await assert.rejects(connectionOf({kubeconfig: join(directory, 'broken')}), /cannot be read/);
  });
});

describe('the plugin\'s API client', () => {
  let server: Server;
  let api: HttpApi;
  const asked: {method: string | undefined; url: string | undefined; type: string | undefined; body: string}[] = [];
  let answer: (request: IncomingMessage) => [number, object];

  before((done) => {
    server = createServer((request, response) => {
      let body = '';
      request.on('data', (chunk: Buffer) => { body += chunk.toString(); });
      request.on('end', () => {
        asked.push({method: request.method, url: request.url, type: request.headers['content-type'], body});
        const [code, object] = answer(request);
        response.writeHead(code).end(JSON.stringify(object));
      });
    }).listen(0, '127.0.0.1', () => {
      api = new HttpApi({server: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, namespace: 'db', insecure: false, headers: {}});
      done();
    });
  });
  beforeEach(() => {
    asked.length = 0;
    answer = () => [200, {}];
  });
  after(() => {
    api.close();
    server.close();
  });

  it('asks once more where a connection broke before an answer, and changes nothing twice', async () => {
    const breaks = (times: number) => ({socket}: IncomingMessage): [number, object] => {
      if (asked.length <= times) socket.destroy();
      return [200, {status: {allowed: true}}];
    };
    answer = breaks(1);
    assert.equal(await api.may('get', 'QuorumRecovery', 'db'), true);
    assert.equal(asked.length, 2);
    asked.length = 0;
    await assert.rejects(api.patch('QuorumRecovery', 'db', 'etcd', {}), /Unavailable/);
    assert.equal(asked.length, 1);
    asked.length = 0;
    answer = breaks(2);
    await assert.rejects(api.version(), /Unavailable/);
    assert.equal(asked.length, 2);
  });

  it('goes through the pages of a list, with its selectors', async () => {
    answer = ({url}) => (url?.includes('continue=next') === true ? [200, {apiVersion: 'v1', items: [{metadata: {name: 'b'}}]}] : [200, {apiVersion: 'v1', items: [{metadata: {name: 'a'}}], metadata: {continue: 'next'}}]);
    const found = await api.list('Pod', 'db', {labelSelector: 'a=b'});
    assert.deepEqual(found.map(({kind, metadata}) => [kind, metadata?.name]), [['Pod', 'a'], ['Pod', 'b']]);
    assert.equal(asked[0]?.url, '/api/v1/namespaces/db/pods?labelSelector=a%3Db&limit=500');
  });

  it('patches as a merge patch under its own name, and a status on its subresource', async () => {
    await api.patch('QuorumRecovery', 'db', 'etcd', {spec: {paused: true}});
    await api.patch('QuorumRecovery', 'db', 'etcd', {status: {}}, {subresource: 'status', dryRun: true});
    assert.deepEqual(asked.map(({method, url, type}) => [method, url, type]), [
      ['PATCH', '/apis/quorumrecovery.io/v1alpha1/namespaces/db/quorumrecoveries/etcd?fieldManager=kubectl-quorum_recovery', 'application/merge-patch+json'],
      ['PATCH', '/apis/quorumrecovery.io/v1alpha1/namespaces/db/quorumrecoveries/etcd/status?fieldManager=kubectl-quorum_recovery&dryRun=All', 'application/merge-patch+json'],
    ]);
  });

  it('deletes only the object that is meant, and takes one that is gone as done', async () => {
    assert.equal(await api.delete('Pod', 'db', 'etcd-0', 'uid-1'), true);
    assert.deepEqual((JSON.parse(asked[0]?.body ?? '') as {preconditions: object}).preconditions, {uid: 'uid-1'});
    answer = () => [404, {reason: 'NotFound', message: 'gone'}];
    assert.equal(await api.delete('Pod', 'db', 'etcd-0', 'uid-1'), false);
    assert.equal(await api.get('Pod', 'db', 'etcd-0'), undefined);
  });

  it('creates in the namespace of the object, asks what it may, and who it is', async () => {
    await api.create('QuorumRecovery', resourceOf(undefined));
    answer = () => [201, {status: {allowed: true, userInfo: {username: 'ada'}}}];
    assert.equal(await api.may('patch', 'QuorumRecovery', 'db', 'status'), true);
    assert.equal(await api.whoAmI(), 'ada');
    assert.deepEqual(asked.map(({method, url}) => `${method ?? ''} ${url?.split('?')[0] ?? ''}`), [
      'POST /apis/quorumrecovery.io/v1alpha1/namespaces/db/quorumrecoveries', 'POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews', 'POST /apis/authentication.k8s.io/v1/selfsubjectreviews',
    ]);
    assert.deepEqual((JSON.parse(asked[1]?.body ?? '') as {spec: object}).spec, {resourceAttributes: {verb: 'patch', group: 'quorumrecovery.io', resource: 'quorumrecoveries', namespace: 'db', subresource: 'status'}});
  });

  it('names the call that was refused, and tells an absent server from a refusal', async () => {
    answer = () => [403, {reason: 'Forbidden', message: 'no'}];
    await assert.rejects(api.patch('QuorumRecovery', 'db', 'etcd', {}, {subresource: 'status'}), (error: unknown) => error instanceof ApiError && error.code === 403 && error.kind === 'QuorumRecovery/status');
    const nobody = new HttpApi({server: 'http://127.0.0.1:1', namespace: 'db', insecure: false, headers: {}});
    await assert.rejects(nobody.version(), (error: unknown) => error instanceof ApiError && error.code === 0);
  });
});
