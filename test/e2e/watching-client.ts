import {spawn} from 'node:child_process';
import type {ChildProcess} from 'node:child_process';
import {once} from 'node:events';
import {createInterface} from 'node:readline';
import {setTimeout as delay} from 'node:timers/promises';
import {run} from '../lab/shell.ts';

interface KeyValue {
  key: string;
  value?: string;
  mod_revision: number;
}

interface Heard {
  Canceled: boolean;
  CompactRevision: number;
  Events: {/** Absent: a put. */ type?: number; kv: KeyValue}[];
}

/** How a watch ended. */
export interface WatchEnd {
  /** Words of etcdctl's last lines. */
  words: string;
  /** Where the history begins that is left, if that is why it ended; else 0. */
  compactRevision: number;
  /** The highest revision that it had been told until then. */
  highest: number;
}

const text = (base64: string | undefined): string => Buffer.from(base64 ?? '', 'base64').toString();

const inOrder = (found: ReadonlyMap<string, string>): [string, string][] => [...found].sort(([a], [b]) => (a < b ? -1 : 1));

/**
 * A client with a cache of everything below a prefix, as docs/usage/clients.md wants it: it lists, watches from there, and begins anew with a list when
 * its watch ends. etcd's own client speaks for it (etcdctl), with the same endpoints from beginning to end.
 */
export class WatchingClient {
  readonly #words: string[];
  readonly #prefix: string;
  /** What each revision was, as it was told first. */
  readonly #contents = new Map<number, string>();
  readonly #twice: string[] = [];
  readonly #ends: WatchEnd[] = [];
  #cache = new Map<string, string>();
  #watch: ChildProcess | undefined;
  #running: Promise<void> | undefined;
  #over = false;

  /** @param etcdctl the words that run it, with its endpoints */
  constructor(etcdctl: readonly string[], prefix: string) {
    this.#words = [...etcdctl];
    this.#prefix = prefix;
  }

  start(): void {
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#over = true;
    this.#watch?.kill();
    await this.#running;
  }

  /** Revisions that came with two contents. */
  get twice(): readonly string[] {
    return this.#twice;
  }

  get ends(): readonly WatchEnd[] {
    return this.#ends;
  }

  get highest(): number {
    return Math.max(0, ...this.#contents.keys());
  }

  /** What it has, in the order of its keys. */
  get cache(): [string, string][] {
    return inOrder(this.#cache);
  }

  /** What etcd has now, in the same order. */
  async inEtcd(): Promise<[string, string][]> {
    return inOrder((await this.#list()).found);
  }

  async #list(): Promise<{revision: number; found: Map<string, string>}> {
    const [program, ...args] = [...this.#words, '--command-timeout=3s', 'get', '--prefix', this.#prefix, '-w', 'json'];
    const {header, kvs = []} = JSON.parse(await run(program, args)) as {header: {revision: number}; /** Absent: none. */ kvs?: KeyValue[]};
    for (const kv of kvs) this.#see(kv, false);
    return {revision: header.revision, found: new Map(kvs.map(({key, value}) => [text(key), text(value)]))};
  }

  async #run(): Promise<void> {
    while (!this.#over) {
      try {
        const {revision, found} = await this.#list();
        this.#cache = found;
        await this.#watchFrom(revision + 1);
      } catch {
        // Nobody answers; asked again.
      }
      await delay(300);
    }
  }

  /** Until the watch ends. */
  async #watchFrom(revision: number): Promise<void> {
    const [program, ...args] = [...this.#words, 'watch', '--prefix', this.#prefix, `--rev=${revision}`, '-w', 'json'];
    const child = spawn(program, args, {stdio: ['ignore', 'pipe', 'pipe']});
    this.#watch = child;
    let words = '';
    let compactRevision = 0;
    child.stderr.on('data', (chunk: Buffer) => { words = (words + chunk.toString()).slice(-1_000); });
    createInterface({input: child.stdout}).on('line', (line) => {
      const heard = JSON.parse(line) as Heard;
      compactRevision = Math.max(compactRevision, heard.CompactRevision);
      for (const {type, kv} of heard.Events) {
        this.#see(kv, type === 1);
        if (type === 1) this.#cache.delete(text(kv.key));
        else this.#cache.set(text(kv.key), text(kv.value));
      }
    });
    await once(child, 'close');
    if (!this.#over) this.#ends.push({words: words.trim(), compactRevision, highest: this.highest});
  }

  #see({key, value, mod_revision: revision}: KeyValue, isDelete: boolean): void {
    const content = isDelete ? `${text(key)} deleted` : `${text(key)}=${text(value)}`;
    const before = this.#contents.get(revision);
    if (before !== undefined && before !== content) this.#twice.push(`revision ${revision}: ${before}, and ${content}`);
    this.#contents.set(revision, content);
  }
}
