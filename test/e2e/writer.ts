import {setTimeout as delay} from 'node:timers/promises';
import {connectMember} from '../../src/etcd/member.ts';
import type {EtcdMember} from '../../src/etcd/member.ts';
import type {Acknowledged, Member, WriterReport} from './tool-protocol.ts';

/** How long one write may take, ms; one that takes longer counts as not acknowledged. */
const deadlineMs = 1_500;
/** Between two writes where nothing else is asked for, ms. */
const defaultPauseMs = 10;

/** Writes numbered keys one after the other, each once, and remembers every acknowledgement. A member that fails is left for the next. */
export class Writer {
  readonly #name: string;
  readonly #pauseMs: number;
  readonly #acks: Acknowledged[] = [];
  readonly #clients = new Map<string, EtcdMember>();
  #members: Member[] = [];
  #failures = 0;
  #lastError = '';
  #running: Promise<void> | undefined;
  #stopped = false;

  constructor(name: string, pauseMs = defaultPauseMs) {
    this.#name = name;
    this.#pauseMs = pauseMs;
  }

  /** The members that there are now. */
  target(members: Member[]): void {
    this.#members = members;
  }

  start(): void {
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
    for (const client of this.#clients.values()) client.close();
  }

  report(): WriterReport {
    return {acks: this.#acks, failures: this.#failures, lastError: this.#lastError};
  }

  async #run(): Promise<void> {
    let turn = 0;
    for (let number = 0; !this.#stopped; number += 1) {
      const key = `writer/${this.#name}/${String(number).padStart(7, '0')}`;
      const value = `${this.#name} ${number}`;
      const member = this.#members[turn % Math.max(1, this.#members.length)];
      try {
        if (member === undefined) throw new Error('no member runs');
        const {revision} = await this.#client(member).put(key, value);
        this.#acks.push({key, value, revision, at: Date.now()});
      } catch (error) {
        this.#failures += 1;
        this.#lastError = error instanceof Error ? error.message : String(error);
        turn += 1;
        await delay(40);
      }
      await delay(this.#pauseMs);
    }
  }

  #client(member: Member): EtcdMember {
    const key = `${member.address}:${member.port}`;
    const known = this.#clients.get(key);
    if (known) return known;
    const made = connectMember(member, {deadlineMs});
    this.#clients.set(key, made);
    return made;
  }
}
