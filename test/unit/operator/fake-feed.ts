import type {QuorumRecovery} from '../../../src/api/types.ts';
import type {EventFeed, FeedEvent, WatchedKind} from '../../../src/operator/feed.ts';
import type {ObjectOf} from '../../../src/kubernetes/kinds.ts';

/** A feed that tells what a test tells it. */
export class FakeFeed implements EventFeed {
  readonly synced = true;
  readonly idleMs = 0;
  started = false;
  stopped = false;
  readonly #subscribers = new Set<(event: FeedEvent) => void>();

  start(): Promise<void> {
    this.started = true;
    return Promise.resolve();
  }

  stop(): void {
    this.stopped = true;
  }

  subscribe(handler: (event: FeedEvent) => void): () => void {
    this.#subscribers.add(handler);
    return () => {
      this.#subscribers.delete(handler);
    };
  }

  known<K extends WatchedKind>(): ObjectOf<K>[] {
    return [];
  }

  tell(event: FeedEvent): void {
    for (const handler of this.#subscribers) handler(event);
  }
}

/** A resource as small as it can be. */
export function resource(name: string, statefulSet = name, fields: Partial<QuorumRecovery> = {}): QuorumRecovery {
  return {
    apiVersion: 'quorumrecovery.io/v1alpha1', kind: 'QuorumRecovery', metadata: {name, namespace: 'db', uid: `uid-${name}`, resourceVersion: '1'},
    spec: {target: {statefulSet}} as QuorumRecovery['spec'], ...fields,
  };
}
