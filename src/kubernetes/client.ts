import type {QuorumRecovery} from '../api/types.ts';
import type {Kind, ObjectOf} from './kinds.ts';

export interface LogOptions {
  container: string;
  limitBytes?: number;
  tailLines?: number;
  /** Of the container's last ended instance. */
  previous?: boolean;
}

/** Major and minor version of an API server, e.g. 1 and 35. */
export interface ServerVersion {
  major: number;
  minor: number;
  gitVersion: string;
}

/** What the operator does with an API server. Every method rejects with ApiError; a verb outside `kinds` is a TypeError. */
export interface KubernetesClient {
  /** undefined: there is no such object (404). */
  get<K extends Kind>(kind: K, namespace: string | undefined, name: string): Promise<ObjectOf<K> | undefined>;
  /** Without a namespace: of all namespaces. An ApiError with isNotServed: this cluster has no such API. */
  list<K extends Kind>(kind: K, namespace?: string, options?: {labelSelector?: string; fieldSelector?: string}): Promise<ObjectOf<K>[]>;
  create<K extends Kind>(kind: K, object: ObjectOf<K>, options?: {dryRun?: boolean}): Promise<ObjectOf<K>>;
  /** JSON merge patch; put metadata.uid and metadata.resourceVersion into it for a precondition. */
  patch<K extends Kind>(
    kind: K, namespace: string | undefined, name: string, patch: object, options?: {dryRun?: boolean},
  ): Promise<ObjectOf<K>>;
  /** true: deletion accepted; false: it was gone (404). A UID, or a resourceVersion, that does not match is an ApiError with code 409. */
  delete(kind: Kind, namespace: string | undefined, name: string, options: {uid: string; resourceVersion?: string; gracePeriodSeconds?: number}): Promise<boolean>;
  /** PUT of a whole object, guarded by its metadata.resourceVersion. */
  replace<K extends Kind>(kind: K, object: ObjectOf<K>): Promise<ObjectOf<K>>;
  /** PUT on the status subresource, guarded by metadata.resourceVersion. */
  replaceStatus(resource: QuorumRecovery): Promise<QuorumRecovery>;
  podLog(namespace: string, name: string, options: LogOptions): Promise<string>;
  version(): Promise<ServerVersion>;
  /** A client for one API server's own address (`https://10.0.0.1:6443`), same credentials: for proofs that must hold on each of them. */
  at(address: string): KubernetesClient;
}
