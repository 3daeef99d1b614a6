import {once} from 'node:events';
import {createServer, connect} from 'node:net';
import type {AddressInfo, Server, Socket} from 'node:net';

/** A way to one member's peer port on which everything takes some time, in each direction. */
export interface SlowLink {
  port: number;
  /** What is on its way is lost. */
  cut(): void;
}

/** Bytes, and the end of the stream, arrive `delayMs` later and in order (timers of one duration fire in the order they were set). */
function carry(from: Socket, to: Socket, delayMs: number): void {
  from.on('data', (chunk: Buffer) => void setTimeout(() => void to.write(chunk), delayMs));
  from.on('close', () => void setTimeout(() => void to.destroy(), delayMs));
}

/**
 * Listens on loopback and passes each connection on to `target`. What was sent before its sender was killed still arrives, as it would
 * on a wire, unless the link is cut. Nothing holds the sender back, which is no matter with as few writes in flight as the load has.
 */
export async function slowLink(target: number, delayMs: number): Promise<SlowLink> {
  const sockets = new Set<Socket>();
  const keep = (socket: Socket): void => {
    sockets.add(socket);
    socket.setNoDelay(true).on('error', () => undefined).on('close', () => { sockets.delete(socket); });
  };
  const server: Server = createServer((incoming) => {
    const outgoing = connect(target, '127.0.0.1');
    keep(incoming);
    keep(outgoing);
    carry(incoming, outgoing, delayMs);
    carry(outgoing, incoming, delayMs);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    cut() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
