import assert from 'node:assert/strict';
import type {QuorumRecoveryStatus} from '../../../src/api/types.ts';
import {againstConfiguration} from '../../../src/decide/configuration.ts';
import type {Decision} from '../../../src/decide/decision.ts';
import type {ConfigurationView} from '../../../src/observe/configuration.ts';
import type {Observation} from '../../../src/observe/observation.ts';
import {answers, next, node, observationOf, planOf, recordOf, runOf} from './observations.ts';
import type {OrdinalOptions} from './observations.ts';

const gone = (index: number): OrdinalOptions => ({object: undefined, place: {at: 'GoneNode', nodes: [`node-${index}`]}});
const spec = {configuration: {checks: [{name: 'servers', configMap: 'site', key: 'servers', members: {}}]}};
const view = (more: Partial<ConfigurationView> = {}): ConfigurationView => ({name: 'servers', source: 'key servers of ConfigMap site', secret: false, ignore: false, ...more});
const good = view({hosts: ['etcd-0', 'etcd-1.etcd', 'etcd-2.etcd.db.svc.cluster.local']});

/** Two of three nodes are deleted, the third member answers and has no leader. */
const lost = (configuration: ConfigurationView[] | undefined, status: QuorumRecoveryStatus = {run: runOf()}, more: object = {}): Observation => observationOf({
  ordinals: [{probe: answers(0, 3)}, gone(1), gone(2)], nodes: [node('node-0')], spec: {...spec, ...more},
  status: {members: [recordOf(0), recordOf(1), recordOf(2)], ...status}, more: {configuration},
});

const words = (decision: Decision) => ('message' in decision ? decision.message : decision.why);

describe('the configuration outside etcd', () => {
  it('is looked at before any plan is made', () => {
    const {decision} = next(lost(undefined));
    assert.deepEqual([decision.kind, words(decision)], ['wait', 'looking at what spec.configuration.checks names']);
  });

  it('stands in the plan with what it names, by name or by any length of the DNS name', () => {
    const {decision, status} = next(lost([good]));
    assert.equal(decision.kind, 'act');
    assert.deepEqual(status.run?.plan?.configuration, [{name: 'servers', source: 'key servers of ConfigMap site', state: 'Consistent', message: 'names etcd-0, etcd-1, etcd-2'}]);
  });

  it('changes no plan of a resource that asks for no checks, nor the hash of one whose checks hold', () => {
    const plain = observationOf({ordinals: [{probe: answers(0, 3)}, gone(1), gone(2)], nodes: [node('node-0')], status: {members: [recordOf(0), recordOf(1), recordOf(2)], run: runOf()}});
    const {status} = next(plain);
    assert.equal(status.run?.plan?.configuration, undefined);
    assert.equal(status.run?.plan?.hash, next(lost([good])).status.run?.plan?.hash);
  });

  const refusals: readonly [string, Partial<ConfigurationView>, RegExp][] = [
    ['is not there', {problem: 'there is no such ConfigMap'}, /^servers \(key servers of ConfigMap site\): there is no such ConfigMap\. Correct it, and the run goes on by itself; or set ignore: true on the check in spec\.configuration\.checks.*Nothing was touched$/],
    ['does not name a member', {hosts: ['etcd-0', 'etcd-2']}, /does not name etcd-1\./],
    ['names somebody else too', {hosts: ['etcd-0', 'etcd-1', 'etcd-2', 'etcd-3', '10.0.0.9']}, /names etcd-3, 10\.0\.0\.9, no pods of StatefulSet etcd\./],
    ['names members of another namespace', {hosts: ['etcd-0.etcd.other', 'etcd-1', 'etcd-2']}, /does not name etcd-0; names etcd-0\.etcd\.other, no pod of/],
    ['is a Secret that names somebody else, whom nobody is told', {secret: true, hosts: ['etcd-0', 'etcd-1', 'etcd-2', 'geheim']}, /names 1 host, no pod of/],
    ['names nobody', {hosts: []}, /does not name etcd-0, etcd-1, etcd-2\./],
  ];
  for (const [title, found, expected] of refusals) {
    it(`blocks where it ${title}`, () => {
      const {decision, status} = next(lost([view(found)]));
      assert.deepEqual([decision.kind, 'reason' in decision && decision.reason], ['blocked', 'ConfigurationInconsistent']);
      assert.match(words(decision), expected);
      assert.doesNotMatch(words(decision), /geheim/);
      assert.equal(status.run?.plan, undefined);
    });
  }

  it('that is inconsistent and ignored stands in the plan, and its hash is another one', () => {
    const {decision, status} = next(lost([view({ignore: true, hosts: ['etcd-0']})]));
    assert.equal(decision.kind, 'act');
    const plan = status.run?.plan;
    assert.deepEqual(plan?.configuration?.map(({state, message}) => [state, message]), [['Ignored', 'does not name etcd-1, etcd-2']]);
    assert.notEqual(plan.hash, next(lost([good])).status.run?.plan?.hash);
  });

  const steps = (...names: string[]) => names.map((name, index) => ({name, state: index === names.length - 1 ? 'Running' as const : 'Done' as const}));
  const giveTurn: Decision = {kind: 'act', why: '', actions: [{type: 'GiveTurn', pod: {}, turn: '1'}]};
  const hold: Decision = {kind: 'record', why: '', record: () => undefined};
  const reasonOf = (decision: Decision) => ('reason' in decision ? decision.reason : decision.kind);

  it('that became inconsistent since the plan was made stops the run before its first touch', () => {
    const bad = (status: QuorumRecoveryStatus = {}) => lost([view({hosts: []})], {run: runOf({plan: planOf(), steps: steps('Plan', 'Hold')}), ...status});
    assert.equal(reasonOf(againstConfiguration(bad(), 'Hold', hold)), 'ConfigurationInconsistent');
    assert.equal(reasonOf(againstConfiguration(bad({heldPods: ['etcd-0']}), 'Hold', hold)), 'record', 'a hold that has begun is ended');
    assert.equal(reasonOf(againstConfiguration(lost([good], {run: runOf({plan: planOf()})}), 'Hold', hold)), 'record');
  });

  it('is asked once more in the moment before the force, and not after it', () => {
    const run = runOf({plan: planOf(), steps: steps('Plan', 'Hold', 'Stop', 'Force')});
    const bad = lost([view({hosts: []})], {run, heldPods: ['etcd-0']});
    const decision = againstConfiguration(bad, 'Force', giveTurn);
    assert.equal(reasonOf(decision), 'ConfigurationInconsistent');
    assert.match(words(decision), /No data was changed, and every name that the run holds stays held$/);
    assert.equal(reasonOf(againstConfiguration(bad, 'Force', {kind: 'act', why: '', actions: [{type: 'CreatePod', pod: {}}]})), 'act');
    assert.equal(reasonOf(againstConfiguration(bad, 'Force', {kind: 'abort', reason: 'QuorumOfDataIntact', message: ''})), 'QuorumOfDataIntact', 'a quorum that came back ends the run as ever');
    const begun = {...run, force: {attempt: 1, pod: 'f', turnGiven: true}};
    assert.equal(reasonOf(againstConfiguration(lost(undefined, {run: begun}), 'Force', giveTurn)), 'act');
  });

  it('is asked once more before the first member is removed, and before pods are restarted', () => {
    const remove: Decision = {kind: 'act', why: '', actions: [{type: 'RemoveVoter', via: 'etcd-0', memberID: 'a1', pod: 'etcd-1'}]};
    const bad = (more: object) => lost([view({hosts: []})], {run: runOf({plan: planOf({strategy: 'ReplaceMembers'}), ...more})});
    assert.equal(reasonOf(againstConfiguration(bad({}), 'Remove', remove)), 'ConfigurationInconsistent');
    assert.equal(reasonOf(againstConfiguration(bad({replace: {removed: []}}), 'Remove', remove)), 'act');
    assert.equal(reasonOf(againstConfiguration(bad({}), 'Restart', hold)), 'ConfigurationInconsistent');
    assert.equal(reasonOf(againstConfiguration(bad({restarted: []}), 'Restart', hold)), 'record');
  });
});
