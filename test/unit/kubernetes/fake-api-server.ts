import {createServer} from 'node:http';
import type {IncomingMessage, ServerResponse} from 'node:http';
import type {AddressInfo} from 'node:net';
import {PooledKubeConfig} from '../../../src/kubernetes/client-config.ts';

export interface SeenRequest {
  method: string;
  path: string;
  query: URLSearchParams;
  headers: IncomingMessage['headers'];
  body: string;
}

export type Answer = (request: SeenRequest, response: ServerResponse) => void;

/** A plain HTTP server that takes the place of an API server; `answer` may be changed at any time. */
export class FakeApiServer {
  readonly requests: SeenRequest[] = [];
  answer: Answer;
  readonly #server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const url = new URL(request.url ?? '', 'http://fake');
      const seen = {
        method: request.method ?? '', path: url.pathname, query: url.searchParams, headers: request.headers, body: Buffer.concat(chunks).toString(),
      };
      this.requests.push(seen);
      this.answer(seen, response);
    });
  });

  constructor(answer: Answer) {
    this.answer = answer;
  }

  async listen(): Promise<PooledKubeConfig> {
    await new Promise<void>((resolve) => {
      this.#server.listen(0, '127.0.0.1', resolve);
    });
    return kubeConfigFor(`http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`);
  }

  /** Resets every connection. */
  reset(): void {
    this.#server.closeAllConnections();
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

export function kubeConfigFor(server: string): PooledKubeConfig {
  const config = new PooledKubeConfig();
  config.loadFromClusterAndUser({name: 'fake', server, skipTLSVerify: true}, {name: 'tester', token: 'of-the-tester'});
  return config;
}

export function json(response: ServerResponse, status: number, body: object, headers: Record<string, string> = {}): void {
  response.writeHead(status, {'content-type': 'application/json', ...headers});
  response.end(JSON.stringify(body));
}

/** A Status object as the API server sends it with an error. */
export const failure = (code: number, reason: string, message: string, details: object = {}) =>
  ({kind: 'Status', apiVersion: 'v1', status: 'Failure', code, reason, message, details});
