import {setTimeout as delay} from 'node:timers/promises';
import {connectMember} from '../../../src/etcd/member.ts';
import type {EtcdMember} from '../../../src/etcd/member.ts';
import type {Member} from '../../unit/agent/etcd-processes.ts';

/** A write that a member answered: from then on its client relies on it. */
export interface Acknowledged {
  key: string;
  value: string;
  revision: number;
  /** Name of the member that answered. */
  member: string;
}

export interface LoadOptions {
  /** Puts that wait for their answer at the same time, on each connection. */
  inFlight: number;
  valueBytes: number;
}

export const keyPrefix = 'load/';
const connectionsToEach = 2;
/** A stop by SIGTERM waits for calls that are under way, and without a quorum nothing else ends them. */
const deadlineMs = 1_500;

/** Puts as fast as the cluster takes them, through every member; each key once, so that nothing hides a lost one. */
export class Load {
  readonly acknowledged: Acknowledged[] = [];
  readonly #clients: EtcdMember[] = [];
  readonly #lanes: Promise<void>[] = [];
  readonly #valueBytes: number;
  #stopped = false;

  constructor(members: readonly Member[], {inFlight, valueBytes}: LoadOptions) {
    this.#valueBytes = valueBytes;
    for (const {name, client} of members) {
      for (let connection = 0; connection < connectionsToEach; connection += 1) {
        const etcd = connectMember({address: '127.0.0.1', port: Number(new URL(client).port)}, {deadlineMs});
        this.#clients.push(etcd);
        for (let lane = 0; lane < inFlight; lane += 1) this.#lanes.push(this.#write(etcd, name, `${keyPrefix}${name}-${connection}-${lane}`));
      }
    }
  }

  /** No further put is made. */
  stop(): void {
    this.#stopped = true;
  }

  /** Every put has been answered, or has failed: an answer that came before its member's end counts, whenever it is read. */
  async settled(): Promise<void> {
    await Promise.all(this.#lanes);
    for (const client of this.#clients) client.close();
  }

  async #write(etcd: EtcdMember, member: string, lane: string): Promise<void> {
    for (let number = 0; !this.#stopped; number += 1) {
      const key = `${lane}/${number}`;
      const value = `${key} `.padEnd(this.#valueBytes, 'x');
      try {
        const {revision} = await etcd.put(key, value);
        this.acknowledged.push({key, value, revision, member});
      } catch {
        // Not acknowledged, so it may be there or not.
        await delay(10);
      }
    }
  }
}
