import {spawn} from 'node:child_process';
import type {ChildProcess} from 'node:child_process';
import {existsSync, mkdtempSync, openSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync} from 'node:fs';
import {createServer} from 'node:net';
import type {AddressInfo} from 'node:net';
import {Agent, request} from 'node:https';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {kubeconfig, makeAuthority} from '../../lab/certificates.ts';
import {cacheDirectory} from '../../lab/paths.ts';

/** The binary of all Kubernetes components that the lab builds; undefined where it was not built yet. */
export function kubernetesBinary(): string | undefined {
  const cache = join(cacheDirectory(), 'bin');
  const names = existsSync(cache) ? readdirSync(cache).filter((name) => name.startsWith('kubernetes-')) : [];
  return names.map((name) => join(cache, name, 'kubernetes')).find((path) => existsSync(path));
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer();
    server.listen(0, '127.0.0.1', () => {
      const {port} = server.address() as AddressInfo;
      server.close(() => { resolve(port); });
    });
  });
}

export interface Answer {
  code: number;
  body: Record<string, unknown> & {message?: string};
}

/** A real kube-apiserver with its etcd on loopback, and nothing else of a cluster: no controller changes what a test writes. */
export class ApiServer {
  readonly #directory = mkdtempSync(join(tmpdir(), 'api-server-'));
  readonly #children: ChildProcess[] = [];
  #agent = new Agent();
  #port = 0;

  /** Ready to be asked. Rejects with the end of the log where it does not come up. */
  async start(binary: string): Promise<void> {
    process.on('exit', () => { for (const child of this.#children) child.kill('SIGKILL'); });
    const pki = join(this.#directory, 'pki');
    await makeAuthority(pki);
    const at = (file: string) => join(pki, file);
    this.#agent = new Agent({keepAlive: true, ca: readFileSync(at('ca.crt')), cert: readFileSync(at('admin.crt')), key: readFileSync(at('admin.key'))});
    const [client, peer, secure] = [await freePort(), await freePort(), await freePort()];
    this.#port = secure;
    const url = (port: number) => `http://127.0.0.1:${port}`;
    this.#run(binary, 'etcd', [
      '--data-dir', join(this.#directory, 'data'), '--listen-client-urls', url(client), '--advertise-client-urls', url(client),
      '--listen-peer-urls', url(peer), '--initial-advertise-peer-urls', url(peer), '--initial-cluster', `default=${url(peer)}`, '--unsafe-no-fsync',
    ]);
    this.#run(binary, 'kube-apiserver', [
      `--etcd-servers=${url(client)}`, '--bind-address=127.0.0.1', '--advertise-address=127.0.0.1', `--secure-port=${secure}`,
      '--service-cluster-ip-range=10.96.0.0/16', '--authorization-mode=RBAC', `--client-ca-file=${at('ca.crt')}`,
      `--tls-cert-file=${at('apiserver.crt')}`, `--tls-private-key-file=${at('apiserver.key')}`,
      '--service-account-issuer=https://kubernetes.default.svc', `--service-account-key-file=${at('sa.pub')}`,
      `--service-account-signing-key-file=${at('sa.key')}`, '--disable-admission-plugins=ServiceAccount',
    ]);
    await this.#ready();
  }

  /** The directory of its certificates and their authority. */
  get pki(): string {
    return join(this.#directory, 'pki');
  }

  /** Writes a kubeconfig of its administrator. @returns the path */
  kubeconfig(): string {
    const path = join(this.#directory, 'kubeconfig');
    writeFileSync(path, kubeconfig(this.pki, 'admin', `https://127.0.0.1:${this.#port}`), {mode: 0o600});
    return path;
  }

  async ask(method: string, path: string, body?: unknown, type = 'application/json'): Promise<Answer> {
    return await new Promise((resolve, reject) => {
      const sent = request({host: '127.0.0.1', port: this.#port, path, method, agent: this.#agent, headers: {'content-type': type}}, (response) => {
        let text = '';
        response.on('data', (chunk: Buffer) => { text += chunk.toString('utf8'); });
        response.on('end', () => { resolve({code: response.statusCode ?? 0, body: text.startsWith('{') ? JSON.parse(text) as Answer['body'] : {message: text}}); });
      });
      sent.on('error', reject);
      sent.end(body === undefined ? undefined : JSON.stringify(body));
    });
  }

  async stop(): Promise<void> {
    this.#agent.destroy();
    await Promise.all(this.#children.map((child) => new Promise<void>((resolve) => {
      if (child.exitCode !== null || child.signalCode !== null) resolve();
      child.once('exit', () => { resolve(); });
      child.kill('SIGKILL');
    })));
    rmSync(this.#directory, {recursive: true, force: true});
  }

  #run(binary: string, component: string, args: readonly string[]): void {
    const link = join(this.#directory, component);
    symlinkSync(binary, link);
    const log = openSync(join(this.#directory, `${component}.log`), 'a');
    this.#children.push(spawn(link, args, {stdio: ['ignore', log, log]}));
  }

  async #ready(): Promise<void> {
    const end = performance.now() + 60_000;
    while (performance.now() < end && this.#children.every((child) => child.exitCode === null)) {
      const answer = await this.ask('GET', '/readyz').catch(() => undefined);
      if (answer?.code === 200) return;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    const logs = ['etcd', 'kube-apiserver'].map((name) => `${name}: ${readFileSync(join(this.#directory, `${name}.log`), 'utf8').slice(-1000)}`);
    throw new Error(`the API server did not come up. ${logs.join('\n')}`);
  }
}

/** The same until it holds, asked again every 50 ms; the last answer after 20 s. */
export async function eventually(ask: () => Promise<Answer>, holds: (answer: Answer) => boolean): Promise<Answer> {
  const end = performance.now() + 20_000;
  for (;;) {
    const answer = await ask();
    if (holds(answer) || performance.now() > end) return answer;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
