import type {Kind, ObjectOf} from './kinds.ts';

export interface ListOptions {
  labelSelector?: string;
  fieldSelector?: string;
}

export interface Version {
  major: number;
  minor: number;
  gitVersion: string;
}

/** What the plugin does with an API server. Every method rejects with ApiError. */
export interface Api {
  /** undefined: there is no such object. */
  get<K extends Kind>(kind: K, namespace: string | undefined, name: string): Promise<ObjectOf<K> | undefined>;
  /** Without a namespace: of all namespaces. */
  list<K extends Kind>(kind: K, namespace?: string, options?: ListOptions): Promise<ObjectOf<K>[]>;
  create<K extends Kind>(kind: K, object: ObjectOf<K>, options?: {dryRun?: boolean}): Promise<ObjectOf<K>>;
  /** JSON merge patch; metadata.uid and metadata.resourceVersion in it are preconditions. */
  patch<K extends Kind>(kind: K, namespace: string, name: string, patch: object, options?: {subresource?: 'status'; dryRun?: boolean}): Promise<ObjectOf<K>>;
  /** false: it was gone. */
  delete(kind: Kind, namespace: string, name: string, uid: string): Promise<boolean>;
  /** Whether this user may (SelfSubjectAccessReview). */
  may(verb: string, kind: Kind, namespace: string | undefined, subresource?: string): Promise<boolean>;
  /** Who the API server takes this user for; undefined where it does not tell. */
  whoAmI(): Promise<string | undefined>;
  version(): Promise<Version>;
  /** GET of any path, for what is no object. */
  raw(path: string): Promise<unknown>;
}
