import type {EtcdEndpoint, EtcdMember} from '../../src/etcd/types.ts';

/** An etcd member, by where it is reached. */
export interface Member extends EtcdEndpoint {
  pod: string;
}

export interface Acknowledged {
  key: string;
  value: string;
  revision: number;
  /** Milliseconds since the epoch: when the answer came. */
  at: number;
}

export interface WriterReport {
  acks: Acknowledged[];
  failures: number;
  lastError: string;
}

export type ReadResult = Record<string, {value: string; revision: number}>;

export type Request =
  | {do: 'seed'; member: Member; count: number}
  | {do: 'fill'; member: Member; count: number; bytes: number}
  | {do: 'status'; member: Member}
  | {do: 'members'; member: Member; linearizable: boolean}
  | {do: 'hash'; member: Member; revision: number}
  | {do: 'put'; member: Member; key: string; value: string}
  | {do: 'get'; member: Member; key: string; serializable: boolean}
  | {do: 'raiseCorrupt'; member: Member; memberID: string}
  | {do: 'compare'; member: Member; count: number; acks: Acknowledged[]; serializable: boolean}
  | {do: 'write'; name: string; members: Member[]; pauseMs?: number}
  | {do: 'target'; name: string; members: Member[]}
  | {do: 'report'; name: string}
  | {do: 'stop'; name: string}
  /** Any call of the operator's own adapter, as it is. */
  | {do: 'call'; member: Member; method: keyof EtcdMember; args: readonly unknown[]};
