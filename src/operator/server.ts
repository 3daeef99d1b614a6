import {createServer} from 'node:http';
import type {Server} from 'node:http';
import type {AddressInfo} from 'node:net';
import type {Registry} from 'prom-client';

/** One check: undefined if all is well, otherwise what is wrong. */
export type Check = () => string | undefined;

export interface ServerOptions {
  registry: Registry;
  /** Fails only where a restart of the process helps. */
  healthy: Record<string, Check>;
  ready: Record<string, Check>;
}

/** Answer of a probe: every failed check by its name. */
function verdict(checks: Record<string, Check>): {status: number; text: string} {
  const failed = Object.entries(checks).flatMap(([name, check]) => {
    const problem = check();
    return problem === undefined ? [] : [`${name}: ${problem}`];
  });
  return failed.length === 0 ? {status: 200, text: 'ok\n'} : {status: 503, text: `${failed.join('\n')}\n`};
}

export interface RunningServer {
  port: number;
  close(): Promise<void>;
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

/** Serves /healthz, /readyz and /metrics; port 0 takes any free one. Rejects if the port is taken. */
export async function startServer(port: number, options: ServerOptions): Promise<RunningServer> {
  const server = createServer((request, response) => {
    const answer = (status: number, text: string, type = 'text/plain; charset=utf-8') => {
      response.writeHead(status, {'content-type': type});
      response.end(request.method === 'HEAD' ? undefined : text);
    };
    const path = (request.url ?? '').split('?')[0];
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      answer(405, 'only GET and HEAD\n');
    } else if (path === '/healthz' || path === '/readyz') {
      const {status, text} = verdict(path === '/healthz' ? options.healthy : options.ready);
      answer(status, text);
    } else if (path === '/metrics') {
      options.registry.metrics().then(
        (text) => {
          answer(200, text, options.registry.contentType);
        },
        (error: unknown) => {
          answer(500, `${String(error)}\n`);
        },
      );
    } else {
      answer(404, 'not found: try /healthz, /readyz or /metrics\n');
    }
  });
  await listen(server, port);
  return {
    port: (server.address() as AddressInfo).port,
    close: () => new Promise((resolve) => {
      server.close(() => {
        resolve();
      });
      server.closeAllConnections();
    }),
  };
}
