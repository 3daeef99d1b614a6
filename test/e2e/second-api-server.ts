import {spawn} from 'node:child_process';
import type {ChildProcess} from 'node:child_process';
import {closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {connect, createServer} from 'node:net';
import type {AddressInfo, Server} from 'node:net';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {KubeConfig} from '@kubernetes/client-node';
import {kubeconfig, makeAuthority} from '../lab/certificates.ts';
import {apiAddress} from '../lab/network.ts';
import {Kube} from './kube.ts';
import {until} from './wait.ts';

export interface SecondAPIServerOptions {
  /** The binary of all Kubernetes components. */
  binary: string;
  /** Client URLs of its etcd. */
  etcd: readonly string[];
  /** The words that bring a command to where that etcd can be reached. */
  enter: (words: string[]) => string[];
  /** A port that is free there. */
  port: number;
}

/** A kube-apiserver that has a cluster's etcd as its store, and nothing else of a Kubernetes: a client of etcd as strict as any. */
export class SecondAPIServer {
  readonly #directory = mkdtempSync(join(tmpdir(), 'second-api-'));
  readonly #children: ChildProcess[] = [];
  readonly #kill = (): void => { for (const child of this.#children) child.kill('SIGKILL'); };
  #forward: Server | undefined;
  #kube: Kube | undefined;

  /** Returns once it serves. It is reached on loopback, through a socket, as its network may be another one. */
  async start({binary, etcd, enter, port}: SecondAPIServerOptions): Promise<void> {
    process.on('exit', this.#kill);
    const pki = join(this.#directory, 'pki');
    await makeAuthority(pki);
    const at = (file: string) => join(pki, file);
    this.#run('kube-apiserver', enter([
      ...[binary, 'kube-apiserver', `--etcd-servers=${etcd.join(',')}`, '--bind-address=127.0.0.1', `--advertise-address=${apiAddress}`, `--secure-port=${port}`],
      ...['--service-cluster-ip-range=10.97.0.0/16', '--authorization-mode=RBAC', `--client-ca-file=${at('ca.crt')}`, '--endpoint-reconciler-type=none'],
      ...[`--tls-cert-file=${at('apiserver.crt')}`, `--tls-private-key-file=${at('apiserver.key')}`, `--service-account-key-file=${at('sa.pub')}`],
      ...['--service-account-issuer=https://kubernetes.default.svc', `--service-account-signing-key-file=${at('sa.key')}`, '--disable-admission-plugins=ServiceAccount'],
    ]));
    const socket = join(this.#directory, 'api.sock');
    this.#run('socat', enter(['socat', `UNIX-LISTEN:${socket},fork`, `TCP:127.0.0.1:${port}`]));
    const forward = createServer((from) => {
      const to = connect(socket);
      from.pipe(to).pipe(from);
      for (const end of [from, to]) end.on('error', () => { from.destroy(); to.destroy(); });
    });
    this.#forward = forward;
    await new Promise<void>((resolve) => { forward.listen(0, '127.0.0.1', resolve); });
    writeFileSync(join(this.#directory, 'kubeconfig'), kubeconfig(pki, 'admin', `https://127.0.0.1:${(forward.address() as AddressInfo).port}`), {mode: 0o600});
    const kube = new Kube(this.kubeconfig);
    this.#kube = kube;
    await until('the second API server', async () => await kube.get('namespaces', '', 'default'), {seconds: 120, unless: () => this.#ended()});
  }

  get kubeconfig(): string {
    return join(this.#directory, 'kubeconfig');
  }

  get kube(): Kube {
    if (this.#kube === undefined) throw new Error('the second API server was not started');
    return this.#kube;
  }

  config(): KubeConfig {
    const config = new KubeConfig();
    config.loadFromFile(this.kubeconfig);
    return config;
  }

  end(): void {
    process.removeListener('exit', this.#kill);
    this.#kill();
    this.#forward?.close();
    rmSync(this.#directory, {recursive: true, force: true});
  }

  #run(name: string, [program = '', ...args]: string[]): void {
    const log = openSync(join(this.#directory, `${name}.log`), 'a');
    this.#children.push(spawn(program, args, {stdio: ['ignore', log, log]}));
    closeSync(log);
  }

  /** Where a process of it has ended: what it said last. */
  #ended(): string | undefined {
    if (this.#children.every((child) => child.exitCode === null)) return undefined;
    return readFileSync(join(this.#directory, 'kube-apiserver.log'), 'utf8').slice(-1_500);
  }
}
