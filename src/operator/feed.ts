import operator from '@dot-i/k8s-operator';
import type {ResourceEvent} from '@dot-i/k8s-operator';
import type {PooledKubeConfig} from '../kubernetes/client-config.ts';
import type {HttpKubernetesClient} from '../kubernetes/client-http.ts';
import {kinds} from '../kubernetes/kinds.ts';
import type {Kind, KindEntry, ObjectOf} from '../kubernetes/kinds.ts';
import type {Clock} from './clock.ts';
import type {Logger} from './log.ts';
import {WatchLoop} from './watch.ts';
import type {Change} from './watch.ts';
import {watchSource} from './watch-source.ts';

/** Kinds that the feed tells of. */
export type WatchedKind = 'QuorumRecovery' | 'Node' | 'Pod' | 'StatefulSet' | 'Namespace';

interface FeedEventOf<K extends WatchedKind> {
  kind: K;
  type: Change['type'];
  /** For Deleted: the last state. */
  object: ObjectOf<K>;
  /** The state before, if it was known. */
  previous?: ObjectOf<K>;
  /** The deletion itself was not seen: what happened to the object after this state was read is not known. */
  finalStateUnknown?: boolean;
  /** It was there before: the first list names it. */
  listed?: true;
}

export type FeedEvent = {[K in WatchedKind]: FeedEventOf<K>}[WatchedKind];

/** Tells its subscribers, synchronously and in the order of the API server for each kind and namespace, what changes in the cluster. */
export interface EventFeed {
  start(): Promise<void>;
  stop(): void;
  /** Returns the way to unsubscribe. A subscriber must be quick and must not throw. */
  subscribe(handler: (event: FeedEvent) => void): () => void;
  /** All resources and nodes were listed at least once. */
  readonly synced: boolean;
  /** The longest time that any of the watches stood still, milliseconds: a healthy one shows life every minute. */
  readonly idleMs: number;
  known<K extends WatchedKind>(kind: K): ObjectOf<K>[];
}

export interface FeedOptions {
  config: PooledKubeConfig;
  client: HttpKubernetesClient;
  clock: Clock;
  log: Logger;
  /** Empty: all namespaces. */
  namespaces: readonly string[];
  /** Of all namespaces, those whose resources are not told of. */
  excludedNamespaces?: readonly string[];
  /** Label selector of the namespaces whose resources are told of, which are told of themselves then. Empty: all. */
  namespaceSelector?: string;
  /** Label selector of the resources that are told of. Empty: all. */
  resourceSelector?: string;
  onRestart?: (kind: WatchedKind, failed: boolean) => void;
}

type WatchEvent = ResourceEvent & Pick<Change, 'previous' | 'finalStateUnknown' | 'listed'>;

const eventTypes = {
  Added: operator.ResourceEventType.Added, Modified: operator.ResourceEventType.Modified, Deleted: operator.ResourceEventType.Deleted,
} as const;

const typeNames = {ADDED: 'Added', MODIFIED: 'Modified', DELETED: 'Deleted'} as const;

/** Kinds that are watched only in the namespaces that hold a QuorumRecovery. */
const perNamespace = ['Pod', 'StatefulSet'] as const;

function kindOf(group: string, version: string, plural: string): Kind {
  const apiVersion = group === '' ? version : `${group}/${version}`;
  const found = Object.entries(kinds).find(([, entry]) => entry.plural === plural && entry.apiVersion === apiVersion);
  if (found === undefined) throw new TypeError(`${plural}.${apiVersion} is not in the table of kinds`);
  return found[0] as Kind;
}

/**
 * The event feed on @dot-i/k8s-operator. Of its Operator the life cycle (`start`, `init`, `watchResource`, `stop`) is kept;
 * `watchResource` itself is replaced, because the original loses deletions between two watches and exits the process on any error.
 * Its queue and its status and finalizer helpers are not used: they swallow errors.
 */
export class OperatorFeed extends operator.default implements EventFeed {
  readonly #options: FeedOptions;
  readonly #loops = new Map<string, WatchLoop>();
  readonly #subscribers = new Set<(event: FeedEvent) => void>();
  /** Names of the QuorumRecoveries of each namespace. */
  readonly #resources = new Map<string, Set<string>>();

  constructor(options: FeedOptions) {
    const {log} = options;
    const say = (level: 'debug' | 'info' | 'warn' | 'error') => (message: string) => {
      log[level](message);
    };
    super({debug: say('debug'), info: say('info'), warn: say('warn'), error: say('error')});
    this.kubeConfig = options.config;
    this.#options = options;
  }

  get synced(): boolean {
    const first = [...this.#loops].filter(([id]) => id.startsWith('QuorumRecovery/') || id.startsWith('Node/') || id.startsWith('Namespace/'));
    return first.length > 0 && first.every(([, loop]) => loop.synced);
  }

  get idleMs(): number {
    return Math.max(0, ...[...this.#loops.values()].map((loop) => loop.idleMs));
  }

  subscribe(handler: (event: FeedEvent) => void): () => void {
    this.#subscribers.add(handler);
    return () => {
      this.#subscribers.delete(handler);
    };
  }

  known<K extends WatchedKind>(kind: K): ObjectOf<K>[] {
    return [...this.#loops].filter(([id]) => id.startsWith(`${kind}/`)).flatMap(([, loop]) => loop.known() as ObjectOf<K>[]);
  }

  override stop(): void {
    for (const loop of this.#loops.values()) loop.stop();
    this.#loops.clear();
  }

  protected override async init(): Promise<void> {
    const {namespaces, namespaceSelector = ''} = this.#options;
    await this.#watch('Node', undefined);
    if (namespaceSelector !== '') {
      await this.#watch('Namespace', undefined);
      return;
    }
    for (const namespace of namespaces.length === 0 ? [undefined] : namespaces) await this.#watch('QuorumRecovery', namespace);
  }

  /** Begins to list and watch; does not wait for the first list. One watch a kind and namespace. */
  protected override watchResource(
    group: string, version: string, plural: string, onEvent: (event: WatchEvent) => Promise<void>, namespace?: string,
  ): Promise<void> {
    const kind = kindOf(group, version, plural);
    const id = `${kind}/${namespace ?? ''}`;
    if (this.#loops.has(id)) return Promise.resolve();
    const {client, config, clock, log, onRestart} = this.#options;
    const loop = new WatchLoop({
      what: namespace === undefined ? plural : `${plural} in ${namespace}`,
      source: watchSource(client, config, {kind, namespace, ...this.#selectors(kind, namespace)}),
      clock,
      log,
      onChange: (change) => {
        const {object, type, ...rest} = change;
        onEvent({type: eventTypes[type], object, meta: metaOf(kind, object), ...rest}).catch((error: unknown) => {
          log.error({error, kind}, 'A handler of watch events failed: this is a defect');
        });
      },
      onRestart: (failed) => onRestart?.(kind as WatchedKind, failed),
    });
    this.#loops.set(id, loop);
    loop.start();
    return Promise.resolve();
  }

  #selectors(kind: Kind, namespace: string | undefined): {without?: readonly string[]; labels?: string} {
    const {excludedNamespaces = [], namespaceSelector = '', resourceSelector = ''} = this.#options;
    if (kind === 'Namespace') return {without: excludedNamespaces, labels: namespaceSelector};
    if (kind !== 'QuorumRecovery') return {};
    return {labels: resourceSelector, ...(namespace === undefined && {without: excludedNamespaces})};
  }

  #watch(kind: WatchedKind, namespace: string | undefined): Promise<void> {
    const {apiVersion, plural}: KindEntry = kinds[kind];
    const [first = '', second] = apiVersion.split('/');
    const [group, version] = second === undefined ? ['', first] : [first, second];
    // Not async inside: subscribers are told before the next event is read.
    return this.watchResource(group, version, plural, (event: WatchEvent) => {
      this.#tell(kind, event);
      return Promise.resolve();
    }, namespace);
  }

  #tell(kind: WatchedKind, event: WatchEvent): void {
    const {object, previous, finalStateUnknown, listed} = event;
    const told = {
      kind, type: typeNames[event.type], object, ...(previous !== undefined && {previous}), ...(finalStateUnknown === true && {finalStateUnknown}),
      ...(listed && {listed}),
    } as FeedEvent;
    if (told.kind === 'QuorumRecovery') this.#follow(told);
    for (const handler of this.#subscribers) {
      try {
        handler(told);
      } catch (error) {
        // One subscriber's defect must not hide an event from the others.
        this.#options.log.error({error, kind}, 'A subscriber of the event feed failed: this is a defect');
      }
    }
    // After the subscribers, so that they know of the namespace before its resources, and of its going before theirs.
    if (told.kind === 'Namespace') this.#followNamespace(told);
  }

  /** A namespace that has the labels is served; from one that has them no longer the resources go as if they were deleted. */
  #followNamespace({type, object}: FeedEventOf<'Namespace'>): void {
    const {name = ''} = object.metadata ?? {};
    if (type !== 'Deleted') {
      void this.#watch('QuorumRecovery', name);
      return;
    }
    const resources = this.#loops.get(`QuorumRecovery/${name}`)?.known() ?? [];
    this.#unwatch('QuorumRecovery', name);
    for (const resource of resources) {
      this.#tell('QuorumRecovery', {type: eventTypes.Deleted, object: resource, meta: metaOf('QuorumRecovery', resource), finalStateUnknown: true});
    }
  }

  /** Pods and sets are watched from the first QuorumRecovery of a namespace until its last one goes. */
  #follow(event: FeedEventOf<'QuorumRecovery'>): void {
    const {namespace = '', name = ''} = event.object.metadata;
    const names = this.#resources.get(namespace) ?? new Set();
    if (event.type === 'Deleted') {
      names.delete(name);
      if (names.size > 0) return;
      this.#resources.delete(namespace);
      for (const kind of perNamespace) this.#unwatch(kind, namespace);
      return;
    }
    names.add(name);
    this.#resources.set(namespace, names);
    for (const kind of perNamespace) void this.#watch(kind, namespace);
  }

  #unwatch(kind: WatchedKind, namespace: string): void {
    const id = `${kind}/${namespace}`;
    this.#loops.get(id)?.stop();
    this.#loops.delete(id);
  }
}

function metaOf(kind: Kind, object: Change['object']) {
  const {apiVersion, kind: kindName, plural} = kinds[kind];
  const {name = '', namespace, resourceVersion = ''} = object.metadata ?? {};
  return {id: `${plural}.${apiVersion}`, name, ...(namespace !== undefined && {namespace}), resourceVersion, apiVersion, kind: kindName};
}
