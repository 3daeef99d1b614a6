import {createServer} from 'node:net';
import type {AddressInfo, Server, Socket} from 'node:net';
import {KubeConfig, PortForward} from '@kubernetes/client-node';

/** Where a port of a pod is reached from here. */
export interface Place {
  address: string;
  port: number;
}

/**
 * Ports of pods in a cluster whose pod network does not reach this machine, through the API server (`kubectl port-forward`).
 * One place for each pod UID: a pod that comes after it under the same name gets another, as it gets another address.
 */
export class Forwards {
  readonly #forward: PortForward;
  readonly #servers = new Map<string, Promise<Server>>();
  readonly #sockets = new Set<Socket>();

  constructor(kubeconfig: string) {
    const config = new KubeConfig();
    config.loadFromFile(kubeconfig);
    this.#forward = new PortForward(config);
  }

  async place(pod: {namespace: string; name: string; uid: string}, port: number): Promise<Place> {
    const key = `${pod.uid}:${port}`;
    const known = this.#servers.get(key);
    const opened = known ?? this.#open(pod, port);
    if (known === undefined) this.#servers.set(key, opened);
    return {address: '127.0.0.1', port: ((await opened).address() as AddressInfo).port};
  }

  close(): void {
    for (const server of this.#servers.values()) void server.then((open) => open.close());
    for (const socket of this.#sockets) socket.destroy();
  }

  async #open({namespace, name}: {namespace: string; name: string}, port: number): Promise<Server> {
    const server = createServer((socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
      // A caller that is gone is no matter of this side.
      socket.on('error', () => undefined);
      // What the caller hears is that its connection ends, as it would from the pod itself.
      this.#forward.portForward(namespace, name, [port], socket, null, socket).then(
        (webSocket) => { if (typeof webSocket !== 'function') webSocket.on('close', () => socket.destroy()).on('error', () => socket.destroy()); },
        () => socket.destroy(),
      );
    });
    return await new Promise((resolve, reject) => {
      server.on('error', reject);
      server.listen(0, '127.0.0.1', () => { resolve(server); });
    });
  }
}
