import type {EtcdOptions} from '../e2e/etcd.ts';

/** A cluster that is soaked: three of them differ in what a recovery depends on. */
export interface Shape {
  name: string;
  words: string;
  replicas: number;
  etcd: EtcdOptions;
  /** Clients have to be a user of etcd, and no watch tells the operator of a lost leader. */
  users?: boolean;
}

export const shapes: readonly Shape[] = [
  {name: 'ordered', words: '3 members, one after the other', replicas: 3, etcd: {podManagementPolicy: 'OrderedReady'}},
  {name: 'tls', words: '3 members at once, TLS for clients and peers', replicas: 3, etcd: {tlsSecret: 'etcd-tls'}},
  {name: 'users', words: '5 members, with users and a claim for the log', replicas: 5, etcd: {replicas: 5, wal: 'claim'}, users: true},
];

/** So many members are one too many to lose. */
export const fatal = ({replicas}: Shape): number => replicas - Math.floor(replicas / 2);
