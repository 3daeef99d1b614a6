import {connect} from 'node:net';

/**
 * Whether something at that address takes or refuses a connection. A refusal comes from the pod's own network, so the way there is open;
 * no answer at all, or a router's word that there is no way, says that the address is cut off from here.
 */
export function isReachable(address: string, port: number, waitMs = 500): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({host: address, port});
    const end = (reached: boolean): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(reached);
    };
    const timer = setTimeout(end, waitMs, false);
    socket.once('connect', () => { end(true); });
    socket.once('error', (error: NodeJS.ErrnoException) => { end(error.code === 'ECONNREFUSED' || error.code === 'ECONNRESET'); });
  });
}
