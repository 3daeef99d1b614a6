import {readFileSync} from 'node:fs';
import {Agent, request} from 'node:https';
import {liveState} from './inside.ts';
import type {LabPaths} from './paths.ts';

const agents = new Map<string, Agent>();

/** One connection for all that a process asks of a lab: a kubectl for each question costs more than its answer. By the authority, which a new lab makes anew. */
function agentOf(paths: LabPaths): Agent {
  const read = (file: string): string => readFileSync(paths.at('pki', file), 'utf8');
  const ca = read('ca.crt');
  const known = agents.get(ca);
  if (known !== undefined) return known;
  const made = new Agent({keepAlive: true, ca, cert: read('admin.crt'), key: read('admin.key')});
  agents.set(ca, made);
  return made;
}

/** Asks the lab's API server as its administrator. @returns the answer's JSON; undefined where there is no such object */
export async function askAPIServer(paths: LabPaths, method: 'GET' | 'DELETE', path: string): Promise<unknown> {
  const {port} = liveState(paths);
  return await new Promise((resolve, reject) => {
    const sent = request({host: '127.0.0.1', port, path, method, agent: agentOf(paths), timeout: 15_000}, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const {statusCode = 0} = response;
        const text = Buffer.concat(chunks).toString();
        if (statusCode === 404) resolve(undefined);
        else if (statusCode >= 300) reject(new Error(`${method} ${path}: ${statusCode} ${text}`));
        else resolve(JSON.parse(text));
      });
    });
    sent.on('timeout', () => sent.destroy(new Error(`${method} ${path}: no answer within 15 s`)));
    sent.on('error', reject);
    sent.end();
  });
}
