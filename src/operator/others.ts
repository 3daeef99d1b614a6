import type {KubernetesClient} from '../kubernetes/client.ts';
import {ApiError} from '../kubernetes/errors.ts';
import type {Clock} from './clock.ts';

/** Whether other installations still have a leader, by their Leases. Like the election itself it compares no clocks: see LeaderElector. */
export class OtherOperators {
  readonly #client: Pick<KubernetesClient, 'get'>;
  readonly #clock: Clock;
  /** Each Lease as it was seen last, and when it was seen to change, on the monotonic clock. */
  readonly #seen = new Map<string, {text: string; since: number}>();

  constructor(client: Pick<KubernetesClient, 'get'>, clock: Clock) {
    this.#client = client;
    this.#clock = clock;
  }

  /**
   * Free: there is no such Lease, nobody holds it, or it was not renewed for its duration since it was first looked at here. One that may
   * not be read counts as held.
   */
  async lease(name: string): Promise<'Held' | 'Free'> {
    const [namespace = '', of = ''] = name.split('/');
    const spec = await this.#spec(namespace, of);
    if (spec === 'Forbidden') return 'Held';
    if (spec === undefined || (spec.holderIdentity ?? '') === '') {
      this.#seen.delete(name);
      return 'Free';
    }
    const now = this.#clock.monotonic();
    const text = JSON.stringify(spec);
    const before = this.#seen.get(name);
    const since = before?.text === text ? before.since : now;
    this.#seen.set(name, {text, since});
    return since + (spec.leaseDurationSeconds ?? 0) * 1000 > now || before === undefined ? 'Held' : 'Free';
  }

  async #spec(namespace: string, name: string) {
    try {
      return (await this.#client.get('Lease', namespace, name))?.spec;
    } catch (error) {
      if (error instanceof ApiError && error.code === 403) return 'Forbidden' as const;
      throw error;
    }
  }
}
