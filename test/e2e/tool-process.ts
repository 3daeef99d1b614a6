import {spawn} from 'node:child_process';
import type {ChildProcessByStdio} from 'node:child_process';
import type {Readable, Writable} from 'node:stream';
import {join} from 'node:path';
import {createInterface} from 'node:readline';
import {EtcdError} from '../../src/etcd/errors.ts';
import type {EtcdErrorKind} from '../../src/etcd/errors.ts';
import type {EtcdMember, ListedMember, MemberStatus} from '../../src/etcd/types.ts';
import type {Acknowledged, Member, Request, WriterReport} from './tool-protocol.ts';

interface Waiting {
  resolve: (value: unknown) => void;
  reject: (error: Error) => void;
}

/** The child process that speaks with etcd, in the lab from inside of its network. */
export class Tool {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #waiting = new Map<number, Waiting>();
  #next = 1;

  /** `enter`: the words that bring a command into the lab's network. */
  constructor(enter: (words: string[]) => string[]) {
    const [program = '', ...args] = enter([process.execPath, join(import.meta.dirname, 'tool.ts')]);
    this.#child = spawn(program, args, {stdio: ['pipe', 'pipe', 'inherit']});
    createInterface({input: this.#child.stdout}).on('line', (line) => { this.#answered(line); });
    this.#child.on('exit', (code, signal) => {
      for (const {reject} of this.#waiting.values()) reject(new Error(`the etcd tool ended with ${signal ?? String(code)}`));
    });
    this.#child.stdin.on('error', () => undefined);
  }

  async seed(member: Member, count: number): Promise<number> {
    return await this.#ask({do: 'seed', member, count}) as number;
  }

  async status(member: Member): Promise<MemberStatus> {
    return await this.#ask({do: 'status', member}) as MemberStatus;
  }

  async members(member: Member, options: {linearizable?: boolean} = {}): Promise<{clusterID: string; members: ListedMember[]}> {
    return await this.#ask({do: 'members', member, linearizable: options.linearizable ?? true}) as {clusterID: string; members: ListedMember[]};
  }

  async hash(member: Member, revision: number): Promise<{hash: number; compactRevision: number}> {
    return await this.#ask({do: 'hash', member, revision}) as {hash: number; compactRevision: number};
  }

  async put(member: Member, key: string, value: string): Promise<{revision: number}> {
    return await this.#ask({do: 'put', member, key, value}) as {revision: number};
  }

  async get(member: Member, key: string, options: {serializable?: boolean} = {}): Promise<{value?: string; revision: number}> {
    return await this.#ask({do: 'get', member, key, serializable: options.serializable ?? false}) as {value?: string; revision: number};
  }

  /** What is missing or different on this member, of the seed and of these acknowledged writes. */
  async compare(member: Member, count: number, acks: Acknowledged[], serializable: boolean): Promise<string[]> {
    return await this.#ask({do: 'compare', member, count, acks, serializable}) as string[];
  }

  /** The operator's own adapter for this member, every call of which is made in the child process. */
  member(member: Member): EtcdMember {
    const call = async <T>(method: keyof EtcdMember, ...args: unknown[]): Promise<T> => await this.#ask({do: 'call', member, method, args}) as T;
    return {
      status: async () => await call('status'),
      memberList: async (options) => await call('memberList', options ?? {}),
      get: async (key, options) => {
        const {value, revision} = await this.get(member, key, options);
        return {value: value === undefined ? undefined : Buffer.from(value), revision};
      },
      put: async (key, value) => await call('put', key, value),
      putAll: () => { throw new TypeError('bytes do not go through the child process'); },
      getAll: () => { throw new TypeError('bytes do not go through the child process'); },
      advance: async (key, by) => await call('advance', key, by),
      deleteKey: async (key) => { await call('deleteKey', key); },
      hashKV: async (revision) => await call('hashKV', revision),
      addLearner: async (peerURLs) => await call('addLearner', peerURLs),
      promote: async (id) => { await call('promote', id); },
      removeMember: async (id) => { await call('removeMember', id); },
      moveLeader: async (id) => { await call('moveLeader', id); },
      alarms: async () => await call('alarms'),
      disarm: async (alarm) => { await call('disarm', alarm); },
      compact: async (revision, options) => { await call('compact', revision, options ?? {}); },
      defragment: async () => { await call('defragment'); },
      authEnabled: async () => await call('authEnabled'),
      watchLeader: () => { throw new TypeError('a watch is not held through the child process'); },
      close: () => undefined,
    };
  }

  /** The alarm that etcd raises where it finds a member's data to differ from the others': `memberID` in lower-case hex. */
  async raiseCorrupt(member: Member, memberID: string): Promise<void> {
    await this.#ask({do: 'raiseCorrupt', member, memberID});
  }

  /** That many entries of a log more, each with a value of so many bytes. */
  async fill(member: Member, count: number, bytes: number): Promise<void> {
    await this.#ask({do: 'fill', member, count, bytes});
  }

  /** `pauseMs`: between two writes. */
  async write(name: string, members: Member[], pauseMs?: number): Promise<void> {
    await this.#ask({do: 'write', name, members, ...(pauseMs !== undefined && {pauseMs})});
  }

  async target(name: string, members: Member[]): Promise<void> {
    await this.#ask({do: 'target', name, members});
  }

  async report(name: string): Promise<WriterReport> {
    return await this.#ask({do: 'report', name}) as WriterReport;
  }

  async stop(name: string): Promise<WriterReport> {
    return await this.#ask({do: 'stop', name}) as WriterReport;
  }

  end(): void {
    this.#child.stdin.end();
  }

  async #ask(request: Request): Promise<unknown> {
    const id = this.#next;
    this.#next += 1;
    return await new Promise((resolve, reject) => {
      if (this.#child.exitCode !== null) reject(new Error('the etcd tool has ended'));
      this.#waiting.set(id, {resolve, reject});
      this.#child.stdin.write(`${JSON.stringify({id, ...request})}\n`);
    });
  }

  #answered(line: string): void {
    const {id, result, error, kind} = JSON.parse(line) as {id: number; result?: unknown; error?: string; kind?: EtcdErrorKind};
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error === undefined) waiting?.resolve(result);
    else waiting?.reject(kind === undefined ? new Error(error) : new EtcdError(kind, error));
  }
}
