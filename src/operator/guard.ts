import type {KubernetesClient} from '../kubernetes/client.ts';

/** This process does not lead: the act was not begun. */
export class NotLeadingError extends Error {
  override readonly name = 'NotLeadingError';

  constructor(what: string) {
    super(`${what} was not begun, because this process does not lead; the leader goes on from what the cluster shows`);
  }
}

/** Whether this process may act: it leads once, and never again after it ended. */
export class Leadership {
  readonly #ended = new AbortController();
  #begun = false;

  /** Aborts at the moment that leading ends. */
  get signal(): AbortSignal {
    return this.#ended.signal;
  }

  get active(): boolean {
    return this.#begun && !this.#ended.signal.aborted;
  }

  begin(): void {
    this.#begun = true;
  }

  end(): void {
    this.#ended.abort();
  }

  /** Throws NotLeadingError unless this process leads. Call it right before anything that changes something, in Kubernetes or in etcd. */
  assert(what: string): void {
    if (!this.active) throw new NotLeadingError(what);
  }
}

/**
 * The client as the reconciler gets it: it reads always, and begins no write unless this process leads.
 * A write that was begun before leading ended may still arrive late: UIDs and resourceVersions make that harmless.
 */
export function leadingClient(client: KubernetesClient, leadership: Leadership): KubernetesClient {
  return {
    get: (...args) => client.get(...args),
    list: (...args) => client.list(...args),
    podLog: (...args) => client.podLog(...args),
    version: () => client.version(),
    create: async (kind, object, options) => {
      leadership.assert(`create ${kind}`);
      return client.create(kind, object, options);
    },
    patch: async (kind, namespace, name, patch, options) => {
      leadership.assert(`patch ${kind} ${name}`);
      return client.patch(kind, namespace, name, patch, options);
    },
    replace: async (kind, object) => {
      leadership.assert(`update ${kind}`);
      return client.replace(kind, object);
    },
    delete: async (kind, namespace, name, options) => {
      leadership.assert(`delete ${kind} ${name}`);
      return client.delete(kind, namespace, name, options);
    },
    replaceStatus: async (resource) => {
      leadership.assert('update QuorumRecovery/status');
      return client.replaceStatus(resource);
    },
    at: (address) => leadingClient(client.at(address), leadership),
  };
}
