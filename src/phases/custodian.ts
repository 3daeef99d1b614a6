import type {QuorumRecovery, QuorumRecoverySpec, QuorumRecoveryStatus, Run} from '../api/types.ts';
import {custody} from '../decide/custody.ts';
import type {Custody} from '../decide/custody.ts';
import type {Observation} from '../observe/observation.ts';
import type {StatusWriter} from '../operator/status.ts';
import type {Reporter} from './reporter.ts';
import {newRunID, reopen, startRun} from './run.ts';

/** This installation among others. */
export interface Installation {
  /** Namespace and name of its Lease; undefined: it holds none. */
  own: string | undefined;
  serves: (resource: QuorumRecovery) => boolean;
  /** Whether another installation's Lease is held. */
  lease: (name: string) => Promise<'Held' | 'Free'>;
}

/** How often a run is looked at that another installation carries out, ms. */
const theirsMs = 5_000;

export type Claimed = {acts: true; take: boolean} | {acts: false; requeueAfterMs: number | undefined};

/** Sees to it that one installation acts on a resource at any time (docs/adr/0028). */
export class Custodian {
  readonly #installation: Installation | undefined;
  readonly #status: StatusWriter;
  readonly #reporter: Reporter;
  readonly #newRunID: () => string;

  /** @param installation undefined: this is the only one, and serves everything */
  constructor(installation: Installation | undefined, status: StatusWriter, reporter: Reporter, runID: () => string = newRunID) {
    this.#installation = installation;
    this.#status = status;
    this.#reporter = reporter;
    this.#newRunID = runID;
  }

  /** Whether this installation acts on the resource; one that does not says so, and lets go what it may. */
  async claim(read: QuorumRecovery): Promise<Claimed> {
    const whose = await this.#whose(read);
    switch (whose) {
      case 'Ours': return {acts: true, take: false};
      case 'Take': return {acts: true, take: true};
      case 'Finish':
        this.#reporter.finishes(read);
        return {acts: true, take: false};
      case 'NotServed': case 'LetGo': case 'Theirs':
        this.#reporter.leftAlone(read, whose);
        if (whose === 'LetGo') await this.#status.update(read, (status) => { delete status.run?.operator; return undefined; });
        return {acts: false, requeueAfterMs: whose === 'Theirs' ? theirsMs : undefined};
    }
  }

  /** Takes the run over. A status write that is refused means that somebody else was there first. */
  async take(resource: QuorumRecovery): Promise<QuorumRecovery> {
    const before = resource.status?.run?.operator;
    const taken = await this.#status.update(resource, (draft) => {
      this.#sign(draft);
      return undefined;
    });
    this.#reporter.takes(taken, before);
    return taken;
  }

  /** A run begins here. */
  begin({status, spec, now}: Observation, trigger: NonNullable<Run['trigger']>): void {
    startRun(status, spec, now, {trigger, id: this.#newRunID(), operator: this.#installation?.own});
  }

  /** It may have been another installation that ended the run. */
  reopen(status: QuorumRecoveryStatus, steps: readonly string[], spec: QuorumRecoverySpec): void {
    reopen(status, steps, spec);
    this.#sign(status);
  }

  #sign({run}: QuorumRecoveryStatus): void {
    const own = this.#installation?.own;
    if (run !== undefined && own !== undefined) run.operator = own;
  }

  async #whose(read: QuorumRecovery): Promise<Custody> {
    if (this.#installation === undefined) return 'Ours';
    const {own, serves, lease} = this.#installation;
    const {run} = read.status ?? {};
    const asked = run !== undefined && run.finishedAt === undefined && run.operator !== undefined && run.operator !== own;
    return custody({run, own, serves: serves(read), othersLease: asked ? await lease(run.operator ?? '') : 'Free'});
  }
}
