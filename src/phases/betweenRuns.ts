import type {QuorumRecovery} from '../api/types.ts';
import {backups, errandBefore, leadership} from '../decide/errands.ts';
import {settleFindings} from '../decide/watch/findings.ts';
import type {Doubt} from '../decide/watch/findings.ts';
import {refreshRecords} from '../decide/watch/records.ts';
import type {Observation} from '../observe/observation.ts';
import type {Observed} from '../observe/observe.ts';
import type {BackupTurns} from '../operator/backupTurns.ts';
import {keyOf, keyText} from '../operator/keys.ts';
import type {Custodian} from './custodian.ts';
import type {Executor} from './executor.ts';
import {hasFinalizer} from './finalizer.ts';
import {watchMs} from './pass.ts';
import type {Pass} from './pass.ts';
import {nextLook} from './watching.ts';
import type {Look, Watching} from './watching.ts';

/** How often a resource is looked at whose cluster is not watched, while a member that should answer does not, ms. */
const watchSilentMs = 5_000;

/** No run in flight: the records and the witness are kept fresh, errands are done, and the resource is free to go. */
export class BetweenRuns {
  readonly #executor: Executor;
  readonly #watching: Watching;
  readonly #custodian: Custodian;
  readonly #backupTurns: BackupTurns | undefined;
  /** What was seen of clusters that serve and is no finding yet, by resource. */
  readonly #doubts = new Map<string, Doubt[]>();

  /** @param backupTurns whose turn it is to begin a snapshot; undefined: everybody's, at once */
  constructor(executor: Executor, watching: Watching, custodian: Custodian, backupTurns: BackupTurns | undefined) {
    this.#executor = executor;
    this.#watching = watching;
    this.#custodian = custodian;
    this.#backupTurns = backupTurns;
  }

  /** The resource is gone. */
  forget(key: string): void {
    this.#doubts.delete(key);
    this.#watching.leave(key);
  }

  async look(base: QuorumRecovery, observed: Observed): Promise<Pass> {
    const {observation} = observed;
    const {status} = observation;
    const key = keyText(keyOf(base));
    const before = errandBefore(observation, base.status);
    if (before !== undefined) return await this.#executor.carryOut(before, base, observed);
    if (observation.set !== undefined && observation.ordinals.some((view) => view.probe.kind !== 'NotAsked')) refreshRecords(status, observation);
    const found = this.#find(key, observation);
    const leading = leadership(observation);
    const look = await this.#watch(key, observed);
    if (look.begins) {
      this.#custodian.begin(observation, look.replaces ? 'AutoReplace' : 'OnQuorumLoss');
      return {base, draft: status, requeueMs: undefined};
    }
    const turns = this.#backupTurns;
    const backing = backups(observation, turns && ((due) => turns.ask(observation.resource, due)));
    const written = await this.#executor.write(base, status, look.standing);
    const freed = (status.heldPods ?? []).length === 0 && hasFinalizer(written) ? await this.#executor.letGo(written, status) : undefined;
    const errand = leading.errand ?? backing.errand;
    if (errand !== undefined) return await this.#executor.carryOut(errand, freed?.base ?? written, observed, {standing: look.standing, isFresh: written !== base});
    if (freed !== undefined) return freed;
    const calm = look.calm !== undefined && found.inMs === undefined;
    if (look.calm !== undefined && calm) this.#watching.rest(key, look.calm);
    return {base: written, draft: status, ...nextLook(look, calm, [leading.inMs, found.inMs, backing.inMs], backing.inMs)};
  }

  #find(key: string, observation: Observation): ReturnType<typeof settleFindings> {
    const found = settleFindings(observation, this.#doubts.get(key) ?? []);
    this.#doubts.set(key, found.doubts);
    if (found.doubts.length === 0) this.#doubts.delete(key);
    return found;
  }

  async #watch(key: string, observed: Observed): Promise<Look> {
    const {observation} = observed;
    if (observation.spec.trigger.type === 'OnQuorumLoss' && observation.resource.metadata.deletionTimestamp === undefined) return await this.#watching.look(key, observed);
    this.#watching.leave(key);
    delete observation.status.suspicion;
    delete observation.status.autoReplace;
    const silent = observation.ordinals.some((view) => view.probe.kind === 'Failed' || view.probe.kind === 'PeerOnly');
    return {standing: {at: 'watching'}, ...(silent ? {requeueMs: watchSilentMs} : {requeueMs: watchMs, routine: true})};
  }
}
