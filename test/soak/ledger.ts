import type {QuorumRecoveryStatus} from '../../src/api/types.ts';
import type {Acknowledged} from '../e2e/tool-protocol.ts';

/** What a run that forced says of writes that may be gone. */
export interface Declared {
  run: string;
  /** Revision that the new cluster started from: whatever is above it was not known to be committed by the survivor. */
  survivorRevision: number;
  /** When the forced start had ended, ms since the epoch: an answer of a client before it came from the old cluster. */
  forcedAt: number;
}

/** Undefined: the run in the status has forced nothing. */
export function declaredBy({run, dataLoss}: QuorumRecoveryStatus): Declared | undefined {
  if (run?.force?.endedAt === undefined || dataLoss?.survivorRevision === undefined) return undefined;
  return {run: run.id, survivorRevision: dataLoss.survivorRevision, forcedAt: Date.parse(run.force.endedAt)};
}

/** A client's record of what etcd acknowledged, against what there is. */
export class Ledger {
  readonly #gone = new Map<string, string>();

  /** Writes of which the run says that they may be gone. */
  mayBeGone(acks: readonly Acknowledged[], {survivorRevision, forcedAt}: Declared): Acknowledged[] {
    return this.required(acks).filter(({revision, at}) => revision > survivorRevision && at <= forcedAt);
  }

  /** These were lost in that run; all others stay required, whatever comes. */
  lose(acks: readonly Acknowledged[], {run}: Declared): void {
    for (const {key} of acks) this.#gone.set(key, run);
  }

  required(acks: readonly Acknowledged[]): Acknowledged[] {
    return acks.filter(({key}) => !this.#gone.has(key));
  }

  get lost(): number {
    return this.#gone.size;
  }
}
