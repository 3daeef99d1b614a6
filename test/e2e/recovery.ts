import assert from 'node:assert/strict';
import type {Plan, QuorumRecovery, QuorumRecoveryStatus} from '../../src/api/types.ts';
import {apiVersion, kind} from '../../src/api/types.ts';
import {setName} from './etcd.ts';
import type {Scenario} from './scenario.ts';
import {Missing, until} from './wait.ts';

/** The spec as people write it: defaults are the API server's. */
export type SpecInput = {[K in keyof QuorumRecovery['spec']]?: Partial<QuorumRecovery['spec'][K]>};

export const resourceName = 'etcd';

/** kubectl apply of one QuorumRecovery. */
export async function applyRecovery(scenario: Scenario, spec: SpecInput = {}, name = resourceName): Promise<void> {
  const target = {statefulSet: setName, ...spec.target};
  const full = {...spec, target} as QuorumRecovery['spec'];
  await scenario.kube.create('quorumrecoveries', {apiVersion, kind, metadata: {name, namespace: scenario.namespace}, spec: full});
}

export async function changeRecovery(scenario: Scenario, spec: SpecInput): Promise<void> {
  await scenario.kube.patch('quorumrecoveries', scenario.namespace, resourceName, {spec});
}

export async function recovery(scenario: Scenario): Promise<QuorumRecovery> {
  const found = await scenario.kube.get('quorumrecoveries', scenario.namespace, resourceName);
  if (found === undefined) throw new Error('the QuorumRecovery is gone');
  return found;
}

export const conditionOf = (status: QuorumRecoveryStatus | undefined, type: string) => status?.conditions?.find((condition) => condition.type === type);

/** Where it stands, in one line. */
export function standing(status: QuorumRecoveryStatus | undefined): string {
  const ready = conditionOf(status, 'Ready');
  return `phase ${status?.phase ?? 'none'}, step ${status?.run?.progress ?? '-'}, ${ready?.reason ?? ''}: ${ready?.message ?? ''}`;
}

/** Waits until the resource says Ready with this reason for its newest spec. */
export async function untilReady(scenario: Scenario, reason: string, seconds = 120): Promise<QuorumRecovery> {
  return await until(`Ready with reason ${reason}`, async () => {
    const found = await recovery(scenario);
    const current = found.status?.observedGeneration === found.metadata.generation;
    return current && conditionOf(found.status, 'Ready')?.reason === reason ? found : new Missing(standing(found.status));
  }, {seconds});
}

/** The plan that waits for a person's word, before which no name is held. */
export async function askedPlan(scenario: Scenario): Promise<Plan> {
  const {status} = await untilReady(scenario, 'AwaitingApproval');
  const plan = status?.run?.plan;
  assert.ok(plan, 'it asks, and there is no plan');
  assert.deepEqual(status.heldPods ?? [], [], 'something was touched before the approval');
  return plan;
}

/** Waits until the run is in one of these phases, looking often: a phase can be over in half a second. */
export async function untilPhase(scenario: Scenario, phases: readonly string[], seconds = 60): Promise<QuorumRecovery> {
  return await until(`phase ${phases.join(' or ')}`, async () => {
    const found = await recovery(scenario);
    return phases.includes(found.status?.phase ?? '') ? found : new Missing(standing(found.status));
  }, {seconds, every: 20});
}

/** Waits for the end of the run with this outcome; any other end than the one that it is `leaving`, or `Blocked` where that is no way to it, is a failure at once. */
export async function untilComplete(scenario: Scenario, outcome: string, options: {seconds?: number; mayBlock?: boolean; request?: string; leaving?: string} = {}): Promise<QuorumRecovery> {
  const {seconds = 180, mayBlock = false, request, leaving} = options;
  let found: QuorumRecovery | undefined;
  return await until(`the end of the run with ${outcome}`, async () => {
    found = undefined;
    found = await recovery(scenario);
    const ended = conditionOf(found.status, 'Complete');
    return ended?.status === 'True' && ended.reason === outcome && found.status?.run?.request === request ? found : new Missing(standing(found.status));
  }, {
    seconds,
    every: 400,
    unless: () => {
      const status = found?.status;
      const ended = conditionOf(status, 'Complete');
      if (ended?.status === 'True' && ended.reason !== outcome && ended.reason !== leaving && status?.run?.request === request) return `it ended with ${ended.reason}: ${ended.message}`;
      return !mayBlock && status?.phase === 'Blocked' ? `it is blocked: ${standing(status)}` : undefined;
    },
  });
}

/** Waits for a witness of the whole cluster: a member that is slow to answer once does not count until it is asked again. */
export async function untilWitness(scenario: Scenario, members = 3): Promise<void> {
  await until(`quorum ${members}/${members} and a witness of ${members} members`, async () => {
    const {status} = await recovery(scenario);
    const seen = `${status?.quorum?.summary ?? 'no quorum'}, a witness of ${status?.lastHealthy?.members.length ?? 0}`;
    return seen === `${members}/${members}, a witness of ${members}` ? true : new Missing(seen);
  }, {seconds: 90});
}

/** What an event with this reason says. */
export async function toldOf(scenario: Scenario, reason: string): Promise<string> {
  return await until(`the event ${reason}`, async () => (await scenario.kube.list('events', scenario.namespace)).find((event) => event.reason === reason)?.message, {seconds: 30});
}
