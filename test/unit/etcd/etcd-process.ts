import {execFileSync, spawn} from 'node:child_process';
import type {ChildProcess} from 'node:child_process';
import {mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {createServer} from 'node:net';
import type {AddressInfo} from 'node:net';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import type {EndpointTLS, EtcdEndpoint, EtcdMember} from '../../../src/etcd/member.ts';

/** Real etcd processes on loopback for tests; ended with the test process at the latest. */
export class Processes {
  readonly directory = mkdtempSync(join(tmpdir(), 'etcd-test-'));
  readonly #binary: string;
  readonly #running = new Set<ChildProcess>();

  constructor(binary: string) {
    this.#binary = binary;
    process.on('exit', () => { this.killAll(); });
  }

  /** Ports that were free a moment ago. */
  async ports(count: number): Promise<number[]> {
    const servers = await Promise.all(Array.from({length: count}, () => new Promise<ReturnType<typeof createServer>>(resolve => {
      const server = createServer();
      server.listen(0, '127.0.0.1', () => { resolve(server); });
    })));
    const ports = servers.map(server => (server.address() as AddressInfo).port);
    await Promise.all(servers.map(server => new Promise(resolve => server.close(resolve))));
    return ports;
  }

  start(name: string, ports: {client: number; peer: number}, cluster: string, options: {state?: string; args?: string[]; scheme?: string; peerScheme?: string} = {}): ChildProcess {
    const scheme = options.scheme ?? 'http';
    const client = `${scheme}://127.0.0.1:${ports.client}`;
    const peer = `${options.peerScheme ?? 'http'}://127.0.0.1:${ports.peer}`;
    const child = spawn(this.#binary, [
      `--name=${name}`, `--data-dir=${join(this.directory, name)}`, `--listen-client-urls=${client}`, `--advertise-client-urls=${client}`,
      `--listen-peer-urls=${peer}`, `--initial-advertise-peer-urls=${peer}`, `--initial-cluster=${cluster}`,
      `--initial-cluster-state=${options.state ?? 'new'}`, '--logger=zap', '--log-level=error', ...options.args ?? [],
    ], {stdio: process.env['ETCD_TEST_LOG'] === undefined ? 'ignore' : 'inherit'});
    this.#running.add(child);
    child.once('exit', () => { this.#running.delete(child); });
    return child;
  }

  async stop(child: ChildProcess): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = new Promise(resolve => child.once('exit', resolve));
    child.kill('SIGKILL');
    await exited;
  }

  killAll(): void {
    for (const child of this.#running) child.kill('SIGKILL');
  }

  async end(): Promise<void> {
    await Promise.all([...this.#running].map(child => this.stop(child)));
    rmSync(this.directory, {recursive: true, force: true});
  }
}

export function local(port: number, more: Partial<EtcdEndpoint> = {}): EtcdEndpoint {
  return {address: '127.0.0.1', port, ...more};
}

/** Asks again every 50 ms until it succeeds; the last error after `forMs`. */
export async function eventually<T>(attempt: () => Promise<T>, forMs = 15_000): Promise<T> {
  const end = performance.now() + forMs;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (performance.now() > end) throw error;
    }
    await new Promise(resolve => setTimeout(resolve, 50));
  }
}

export async function hasLeader(member: EtcdMember): Promise<void> {
  await eventually(async () => {
    if ((await member.status()).leader === '') throw new Error('no leader yet');
  });
}

export interface Certificates {
  ca: string;
  otherCA: string;
  server: {cert: string; key: string; certFile: string; keyFile: string; caFile: string};
  client: EndpointTLS;
  expired: EndpointTLS;
  foreign: EndpointTLS;
}

/** A CA, a server certificate for 127.0.0.1 and etcd-0.etcd.db.svc, and client certificates: good, expired, of another CA. */
export function makeCertificates(directory: string): Certificates {
  const file = (name: string): string => join(directory, name);
  const openssl = (...args: string[]): void => { execFileSync('openssl', args, {stdio: 'ignore'}); };
  const ca = (name: string): void => {
    openssl('req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2',
      '-subj', `/CN=${name}`, '-keyout', file(`${name}.key`), '-out', file(`${name}.crt`));
  };
  const leaf = (name: string, issuer: string, extension: string, dates: string[] = ['-days', '2']): void => {
    writeFileSync(file(`${name}.ext`), extension);
    openssl('req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-subj', '/CN=root',
      '-keyout', file(`${name}.key`), '-out', file(`${name}.csr`));
    openssl('x509', '-req', '-in', file(`${name}.csr`), '-CA', file(`${issuer}.crt`), '-CAkey', file(`${issuer}.key`),
      '-CAcreateserial', ...dates, '-extfile', file(`${name}.ext`), '-out', file(`${name}.crt`));
  };
  ca('ca');
  ca('other-ca');
  leaf('server', 'ca', 'subjectAltName=IP:127.0.0.1,DNS:etcd-0.etcd.db.svc\nextendedKeyUsage=serverAuth,clientAuth');
  leaf('client', 'ca', 'extendedKeyUsage=clientAuth');
  leaf('foreign', 'other-ca', 'extendedKeyUsage=clientAuth');
  leaf('expired', 'ca', 'extendedKeyUsage=clientAuth', ['-days', '-1']);
  const read = (name: string): string => readFileSync(file(name), 'utf8');
  const tls = (name: string): EndpointTLS => ({ca: read('ca.crt'), cert: read(`${name}.crt`), key: read(`${name}.key`)});
  return {
    ca: read('ca.crt'),
    otherCA: read('other-ca.crt'),
    server: {
      cert: read('server.crt'), key: read('server.key'),
      certFile: file('server.crt'), keyFile: file('server.key'), caFile: file('ca.crt'),
    },
    client: tls('client'), expired: tls('expired'), foreign: tls('foreign'),
  };
}
