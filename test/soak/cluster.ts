import assert from 'node:assert/strict';
import {setTimeout as delay} from 'node:timers/promises';
import type {QuorumRecoveryStatus, Run} from '../../src/api/types.ts';
import type {Report} from '../../src/cli/report/model.ts';
import {processesWhere} from '../lab/processes.ts';
import {dataThere, nothingLeft, setUnchanged, whole} from '../e2e/checks.ts';
import type {Environment} from '../e2e/environment.ts';
import {Plugin} from '../e2e/plugin.ts';
import {conditionOf, recovery, standing} from '../e2e/recovery.ts';
import {Scenario} from '../e2e/scenario.ts';
import {createUserSecret, enableAuth} from '../e2e/users.ts';
import {Missing, until} from '../e2e/wait.ts';
import {watched} from '../e2e/watched.ts';
import {declaredBy, Ledger} from './ledger.ts';
import {fatal} from './shapes.ts';
import type {Shape} from './shapes.ts';

const password = 'of the soak';
/** Between two writes of each cluster's client, ms. */
const pauseMs = 50;
/** Keys that are there before the first fault. */
const seedKeys = 1_000;
/** How often the resource is looked at, ms. */
const lookMs = 400;

/** A run as it was seen last. */
interface Seen {
  run: Run;
  verdict: string | undefined;
  declared: ReturnType<typeof declaredBy>;
}

/** No answer about the data: a connection that a fault has reset, or an election that the return of a member brought about. */
const noAnswer = /UNAVAILABLE|etcdserver: (leader changed|no leader|request timed out)/;

/** How often a question that gets no answer is asked, a second apart. */
const tries = 5;

async function reached<T>(ask: () => Promise<T>): Promise<T> {
  for (let left = tries - 1; ; left -= 1) {
    try {
      return await ask();
    } catch (error) {
      if (left === 0 || !(error instanceof Error) || !noAnswer.test(error.message)) throw error;
      console.log(`             asked again: ${error.message}`);
      await delay(1_000);
    }
  }
}

/** One cluster with its resource and a client that writes through it all, and what has to hold between two faults. */
export class SoakCluster {
  readonly shape: Shape;
  readonly scenario: Scenario;
  readonly #plugin: Plugin;
  readonly #ledger = new Ledger();
  readonly #seen = new Map<string, Seen>();
  readonly #checked = new Set<string>();
  readonly #podUIDs = new Set<string>();
  #looking: NodeJS.Timeout | undefined;
  #suspectedAt: string | undefined;

  constructor(environment: Environment, shape: Shape) {
    this.shape = shape;
    this.scenario = new Scenario(environment, `soak-${shape.name}`);
    this.#plugin = new Plugin(this.scenario);
  }

  /** With as many nodes more as a fault takes away. */
  async start(): Promise<void> {
    const {scenario, shape} = this;
    await scenario.begin();
    await scenario.addNodes(shape.replicas + fatal(shape));
    await scenario.startEtcd(shape.etcd, seedKeys);
    let target: object = shape.etcd.tlsSecret === undefined ? {} : {tls: {secretName: 'etcd-client-tls'}};
    if (shape.users === true) {
      await enableAuth(scenario, 'etcd-0', password);
      scenario.user = {username: 'root', password};
      target = await createUserSecret(scenario, password);
    }
    await watched(scenario, {gracePeriod: '5s', cooldown: '5s', maxAttempts: 10}, {target}, shape.replicas);
    await scenario.startWriter(pauseMs);
    let busy = false;
    this.#looking = setInterval(() => {
      if (busy) return;
      busy = true;
      void this.#look().catch(() => undefined).finally(() => { busy = false; });
    }, lookMs);
  }

  /** The API server may not answer now: then the next look sees it. */
  async #look(): Promise<void> {
    const {status} = await recovery(this.scenario);
    this.#note(status);
    for (const pod of await this.scenario.pods()) this.#podUIDs.add(pod.metadata?.uid ?? '');
  }

  #note(status: QuorumRecoveryStatus | undefined): void {
    if (status?.suspicion !== undefined) this.#suspectedAt ??= status.suspicion.since;
    if (status?.run !== undefined) this.#seen.set(status.run.id, {run: status.run, verdict: conditionOf(status, 'DataLossPossible')?.status, declared: declaredBy(status)});
  }

  /** From here on the next suspicion counts. */
  expectSuspicion(): void {
    this.#suspectedAt = undefined;
  }

  get suspectedAt(): string | undefined {
    return this.#suspectedAt;
  }

  /** Pods that were seen since the begin. */
  get pods(): number {
    return this.#podUIDs.size;
  }

  get writesLost(): number {
    return this.#ledger.lost;
  }

  get runs(): readonly Run[] {
    return [...this.#seen.values()].map(({run}) => run);
  }

  async acknowledged(): Promise<number> {
    return (await this.scenario.writerReport()).acks.length;
  }

  /** When a client's write was acknowledged for the first time after this moment, ms. */
  async firstWriteAfter(ms: number): Promise<number | undefined> {
    return (await this.scenario.writerReport()).acks.find(({at}) => at > ms)?.at;
  }

  /** A run that had not ended at this moment (ms) or began since forces a new cluster, and ends well. */
  async untilRecovered(since: number, seconds: number): Promise<Run> {
    return await until(`a recovery of ${this.scenario.namespace}`, async () => {
      const {status} = await recovery(this.scenario);
      this.#note(status);
      const run = status?.run;
      const ended = run?.finishedAt !== undefined && Date.parse(run.finishedAt) >= since;
      return ended && run.outcome === 'Recovered' && run.force !== undefined ? run : new Missing(standing(status));
    }, {seconds, every: lookMs});
  }

  /** Every member is well, no run is in flight, nothing is suspected, and a client has written. */
  async settled(seconds: number): Promise<void> {
    const {scenario, shape} = this;
    await scenario.healthy(shape.replicas, seconds);
    await until(`${scenario.namespace} at rest`, async () => {
      const {status} = await recovery(scenario);
      this.#note(status);
      const rests = status?.phase === 'Watching' && status.suspicion === undefined && status.quorum?.summary === `${shape.replicas}/${shape.replicas}`;
      return rests && status.lastHealthy?.members.length === shape.replicas ? true : new Missing(standing(status));
    }, {seconds});
    const from = Date.now();
    await until(`a write to ${scenario.namespace}`, async () => await this.firstWriteAfter(from), {seconds: 30});
  }

  /** `mayForce`: a loss for good came before this check, so one run may have forced a new cluster, and only one. */
  async check({mayForce}: {mayForce: boolean}): Promise<void> {
    const {scenario, shape} = this;
    // What was acknowledged by now is on every member once they are seen to be equal.
    const {acks} = await scenario.writerReport();
    await setUnchanged(scenario);
    await reached(async () => { await whole(scenario, shape.replicas); });
    await nothingLeft(scenario);
    await this.#oneProcessEach();
    await this.#runsAreRight(mayForce);
    await reached(async () => { await dataThere(scenario, this.#ledger.required(acks), seedKeys); });
  }

  /** Each member once, on this machine where all nodes are, and no forced start. A pod that is deleted by force goes before its process does. */
  async #oneProcessEach(): Promise<void> {
    const token = `--initial-cluster-token=etcd-${this.scenario.namespace}`;
    await until(`one etcd process for each member of ${this.scenario.namespace}`, () => {
      const found: string[] = [];
      processesWhere((_, words) => {
        if (words.some((word) => word.includes(token))) found.push(words.includes('--force-new-cluster') ? 'a forced start' : 'a member');
        return false;
      });
      const right = found.length === this.shape.replicas && !found.includes('a forced start');
      return Promise.resolve(right ? true : new Missing(`${found.join(', ')} of ${this.shape.replicas} members run`));
    }, {seconds: 30});
  }

  async #runsAreRight(mayForce: boolean): Promise<void> {
    const fresh = [...this.#seen.values()].filter(({run}) => !this.#checked.has(run.id));
    const forced = fresh.filter(({run}) => run.force !== undefined);
    const words = fresh.map(({run}) => `${run.id} ${run.outcome ?? 'unended'}${run.force === undefined ? '' : ' forced'}`).join(', ');
    assert.equal(forced.length, mayForce ? 1 : 0, `runs of ${this.scenario.namespace}: ${words}`);
    for (const {run, verdict, declared} of fresh) {
      this.#checked.add(run.id);
      const report = JSON.parse(await this.#plugin.expect(0, 'report', '-o', 'json', '--run', run.id)) as Report;
      assert.equal(report.outcome, run.outcome, `the report of ${run.id} says another outcome`);
      assert.equal(run.outcome, run.force === undefined ? 'NotNeeded' : 'Recovered', words);
      if (run.force === undefined) {
        assert.equal(report.loss.verdict, 'NotTold', `the report of ${run.id} speaks of a loss, and nothing was forced`);
        continue;
      }
      assert.ok(declared, `${run.id} forced a new cluster and does not say from which revision it started`);
      assert.notEqual(report.loss.verdict, 'NotTold', `the report of ${run.id} does not say what was lost`);
      const {acks} = await this.scenario.writerReport();
      const maybe = this.#ledger.mayBeGone(acks, declared);
      const [member] = await this.scenario.members();
      assert.ok(member);
      const missing = (await reached(async () => await this.scenario.tool.compare(member, 0, maybe, false))).map((problem) => problem.split(' ')[0]);
      this.#ledger.lose(maybe.filter(({key}) => missing.includes(key)), declared);
      console.log(`             ${run.id}: ${maybe.length} acknowledged writes beyond revision ${declared.survivorRevision}, ${missing.length} of them gone; DataLossPossible ${verdict ?? 'not said'}`);
    }
  }

  async end(): Promise<void> {
    clearInterval(this.#looking);
    await this.scenario.stopWriter();
    this.scenario.tool.end();
  }
}
