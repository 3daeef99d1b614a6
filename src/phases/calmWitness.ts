import type {QuorumRecovery} from '../api/types.ts';
import {renewNumbers, wantsRenewal} from '../decide/watch/calm.ts';
import type {Answer} from '../decide/watch/calm.ts';
import {isUnavailable} from '../kubernetes/errors.ts';
import type {StatusWriter} from '../operator/status.ts';

/** Keeps the witnesses of calm clusters fresh: numbers alone, in the resources as they were heard of last. */
export class CalmWitness {
  readonly #status: StatusWriter;
  readonly #now: () => number;
  readonly #resource: (key: string) => QuorumRecovery | undefined;

  constructor(status: StatusWriter, now: () => number, resource: (key: string) => QuorumRecovery | undefined) {
    this.#status = status;
    this.#now = now;
    this.#resource = resource;
  }

  /** A member has answered. Writes once a minute. Rejects where the resource was written by somebody else since. */
  async renew(key: string, answers: readonly Answer[]): Promise<void> {
    const resource = this.#resource(key);
    const now = this.#now();
    if (resource === undefined || !wantsRenewal(resource.status ?? {}, now)) return;
    try {
      await this.#status.update(resource, (status) => { renewNumbers(status, answers, now); return status; });
    } catch (error) {
      // The cluster is as calm as it was, and the next answer comes soon.
      if (!isUnavailable(error)) throw error;
    }
  }
}
