import assert from 'node:assert/strict';
import {existsSync, readFileSync} from 'node:fs';
import type {InspectFacts} from '../../src/agent/report.ts';
import {blockedReasons} from '../../src/api/reasons.ts';
import type {QuorumRecoveryStatus} from '../../src/api/types.ts';
import {interrupted} from '../../src/decide/interrupt.ts';
import {nextStep} from '../../src/decide/next.ts';
import {force} from '../../src/decide/steps/force.ts';
import {inspect, offlineFacts} from '../../src/decide/steps/inspect.ts';
import {plan} from '../../src/decide/steps/plan.ts';
import {stop} from '../../src/decide/steps/stop.ts';
import {mayDepart} from '../../src/phases/departing.ts';
import {Recoverer} from '../../src/phases/reconciler.ts';
import type {RecovererOptions} from '../../src/phases/reconciler.ts';
import {answers, clusterID, idOf, members, newSet, node, now, observationOf, planOf, runOf} from '../unit/decide/observations.ts';
import type {ObservationOptions} from '../unit/decide/observations.ts';
import {at, facts, held, heldHere, identity, lost, planned, ready, recordingClient, records, told} from './fixtures.ts';

const asked = (more: ObservationOptions) => plan(observationOf({...lost(), ...more}));
const runWith = (offline: object[], lastHealthy?: QuorumRecoveryStatus['lastHealthy']) => ({status: {members: records, run: planned({plan: undefined, identity: undefined, offline: offline as never}), ...(lastHealthy && {lastHealthy})}});
const others = (lost().ordinals ?? []).slice(1);
const witness = {clusterID, revision: 1, raftIndex: 1, raftTerm: 1, observedAt: at, members: [0, 1, 2].map((index) => ({pod: `etcd-${index}`, memberID: idOf(index)}))};
const present = (more: object): InspectFacts => ({
  data: 'Present', freeBytes: 1, dataBytes: 1, walBytes: 1, uid: 0, gid: 0, mode: '0700', memberID: 'a0', clusterID, term: 5, vote: '', commit: 100, index: 110, lastEntryTerm: 4,
  snapshotIndex: 0, snapshotTerm: 0, tail: {entries: 10}, torn: false, pendingConfChanges: [], backend: {consistentIndex: 100, term: 4, revision: 50, members: members(3), removed: [], sizeBytes: 1}, ...more,
});

/** What can be read in two ways, or not at all. */
const ambiguous: [string, ObservationOptions, string][] = [
  ['members of two clusters', {ordinals: [{probe: answers(0, 3)}, {...held(1), probe: {kind: 'PeerOnly', clusterID: 'c2', members: members(3), error: 'Timeout', message: ''}}, held(2)]}, 'TwoLineages'],
  ['a voter that no pod of the set runs', {ordinals: [{probe: answers(0, 5)}, ...others]}, 'ForeignMember'],
  ['nobody who answers, and no disk within reach', {ordinals: [held(0), ...others], nodes: []}, 'NoSurvivor'],
  ['data that nothing can start from', {ordinals: [heldHere(0), ...others], ...runWith([facts(0, {unfit: 'its database cannot be read'})])}, 'NoSurvivor'],
  ['a disk whose membership cannot be read', {ordinals: [heldHere(0), ...others], ...runWith([facts(0, {members: undefined})], witness)}, 'ClusterUnknown'],
  ['a survivor by name whose data is not within reach', {spec: {survivor: {pod: 'etcd-2'}}}, 'SurvivorNotEligible'],
  ['an etcd of an unknown version', {ordinals: [{probe: answers(0, 3, {version: ''})}, ...others]}, 'VersionNotForceable'],
  ['a rollout that is not finished', {set: {...newSet(3), status: {replicas: 3, observedGeneration: 0, updateRevision: 'rev-1'}}}, 'RolloutInProgress'],
  ['an end that nobody saw', {nodes: [0, 1, 2].map((index) => node(`node-${index}`, {ready: index === 0}))}, 'FencingUnproven'],
];

describe('10. Unproven or ambiguous → Blocked with a reason, never a guess; and every Blocked has a way out', () => {
  for (const [what, more, reason] of ambiguous) {
    it(`${what}: ${reason}, with words that name what to do`, () => {
      const decision = asked(more);
      assert.equal(told(decision), `blocked ${reason}`);
      assert.ok('message' in decision && decision.message.length > 40, 'message' in decision ? decision.message : '');
    });
  }

  it('what disks say of themselves makes them no survivor: a broken database or log, a learner, a removed member', () => {
    const unfit = (found: InspectFacts) => offlineFacts('etcd-0', 'Held', found).unfit;
    const backend = (list: object[]) => ({consistentIndex: 100, term: 4, revision: 50, members: list, removed: [], sizeBytes: 1});
    assert.equal(unfit(present({})), undefined);
    assert.match(unfit(present({backend: {error: 'torn page'}})) ?? '', /database cannot be read: torn page/);
    assert.match(unfit(present({backend: backend(members(3).map((member) => ({...member, isLearner: member.id === 'a0'})))})) ?? '', /learner/);
    assert.match(unfit(present({backend: backend(members(3).slice(1))})) ?? '', /no member any more/);
    assert.match(unfit({data: 'Unreadable', freeBytes: 1, dataBytes: 1, walBytes: 1, uid: 0, gid: 0, mode: '0700', corrupt: 'checksum'}) ?? '', /checksum/);
  });

  it('two lineages, and a log that ends before the plan\'s for the second time, are blocked also when they are found while all is held', () => {
    const five = {ordinals: [heldHere(0), heldHere(1), held(2), held(3), held(4)], nodes: [node('node-0'), node('node-1')]};
    const read = (index: number, more: object = {}) => facts(index, {stage: 'Held', members: members(5), term: 5, index: 90, ...more});
    const run = (more: object = {}) => planned({identity: {...identity, members: members(5)}, offline: [read(0), read(1, more)], plan: planOf({candidates: ['etcd-0', 'etcd-1'], lowest: {term: 0, index: 100}})});
    assert.equal(told(inspect(observationOf(ready(run({clusterID: 'c2'}), five)))), 'blocked TwoLineages');
    const short = observationOf(ready(run(), five));
    assert.equal(told(inspect(short)), 'abort PlanChanged');
    short.status.history = [{id: 'run-0', outcome: 'Released', reason: 'PlanChanged', finishedAt: at, durationSeconds: 1}];
    assert.equal(told(inspect(short)), 'blocked PlanChanged');
  });

  it('a set that was made anew is not the plan\'s set, and ends the run before the force', () => {
    const set = {...newSet(3), metadata: {name: 'etcd', namespace: 'db', uid: 'another'}};
    const end = interrupted(observationOf({...ready(), set}));
    assert.ok(end !== undefined && 'ends' in end && end.ends.reason === 'SetChanged', JSON.stringify(end));
    assert.equal(interrupted(observationOf(ready())), undefined);
  });

  it('after the force a set that is gone, or that lost the survivor\'s ordinal, is waited for', () => {
    const force = {attempt: 1, pod: 'etcd-0-force-1', turnGiven: true};
    assert.equal(told(nextStep(observationOf(ready(planned({force, plan: planOf({survivor: 'etcd-3'})}))))?.decision), 'blocked PlanChanged');
    assert.equal(told(nextStep(observationOf({...ready(planned({force})), more: {set: undefined}}))?.decision), 'stalled StatefulSetNotFound');
  });

  it('a status that cannot be read in mid-run is not forgotten: nothing is done', async () => {
    const acts = async (run: object): Promise<string[]> => {
      const changes: string[] = [];
      const resource = {...observationOf().resource, metadata: {namespace: 'db', name: 'etcd', resourceVersion: '1'}, status: {run, phase: 7} as never};
      const client = recordingClient(changes, {
        get: async (kind) => { if (kind !== 'QuorumRecovery') changes.push(`get ${kind}`); return await Promise.resolve(kind === 'QuorumRecovery' ? resource : undefined) as never; },
        list: async () => await Promise.resolve([]),
      });
      const status = {isOwnWrite: () => false, update: async (_: unknown, mutate: (draft: object) => object) => { changes.push('status'); mutate({}); return await Promise.resolve(resource); }};
      const reporter = {unreadableStatus: () => undefined, decided: () => undefined, written: () => undefined};
      const recoverer = new Recoverer({client, status, reporter, etcd: {}, agentImage: 'x', now: () => now, signal: new AbortController().signal} as unknown as RecovererOptions);
      await recoverer.reconcile({namespace: 'db', name: 'etcd'});
      return changes;
    };
    assert.deepEqual(await acts({...runOf(), steps: 'none'}), []);
    assert.ok((await acts({...runOf(), finishedAt: at, steps: 'none'})).length > 0, 'after a run it counts as absent');
  });

  it('each reason has a page with what to do, which the messages of the operator lead to', () => {
    for (const reason of blockedReasons) {
      const page = `docs/runbooks/${reason}.md`;
      assert.ok(existsSync(page), page);
      assert.match(readFileSync(page, 'utf8'), /^## Do$[\s\S]+^## What happens then$/m, page);
    }
  });

  it('the way out by mending: what was read is read again, and the run goes on when the proof is there', () => {
    const old = new Date(now - 121_000).toISOString();
    const blocked = runWith([facts(0, {unfit: 'its database cannot be read', readAt: old})]);
    assert.equal(told(asked({ordinals: [heldHere(0), ...others], ...blocked})), 'record');
    const away = {nodes: [0, 1, 2].map((index) => node(`node-${index}`, {ready: index === 0}))};
    for (const step of [stop, force]) {
      assert.equal(told(step(observationOf(ready(planned(), away)))), 'blocked FencingUnproven');
      assert.notEqual(told(step(observationOf(ready()))), 'blocked FencingUnproven');
    }
  });

  it('the way out by giving up: a resource that is deleted ends its run with everything put back, and may go', () => {
    const deleted = {resource: {...observationOf().resource, metadata: {name: 'etcd', namespace: 'db', deletionTimestamp: at as never}}};
    const stands = interrupted(observationOf(ready(planned(), {more: deleted})));
    assert.ok(stands && 'ends' in stands);
    const aborted = (heldPods: string[], object = heldHere(0)) => told(nextStep(observationOf(ready(planned({aborted: {reason: 'Deleted', message: ''}}), {ordinals: [object, held(1), held(2)], status: {members: records, run: planned({aborted: {reason: 'Deleted', message: ''}}), heldPods}})))?.decision);
    assert.equal(aborted(['etcd-0', 'etcd-1', 'etcd-2']), 'record', 'no name is held any more');
    assert.equal(aborted([]), 'UngatePod,UngatePod,UngatePod');
    const gone = observationOf({...ready(), more: {...deleted, set: undefined}});
    assert.equal(mayDepart(gone), true, 'its set is gone: nothing is left to finish');
  });
});
