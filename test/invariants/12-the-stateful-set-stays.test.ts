import assert from 'node:assert/strict';
import {readFileSync} from 'node:fs';
import {parseAllDocuments} from 'yaml';
import {brokenRules} from '../../src/api/rules.ts';
import {specSchema} from '../../src/api/spec.ts';
import {setSpecHash} from '../../src/decide/plans/plan.ts';
import {sourceOf} from '../../src/decide/steps/common.ts';
import {join} from '../../src/decide/steps/join.ts';
import {extraRights, kinds, requireVerb} from '../../src/kubernetes/kinds.ts';
import type {KindEntry, Verb} from '../../src/kubernetes/kinds.ts';
import {ownPod} from '../../src/kubernetes/ownPods.ts';
import {returnDependent, stopDependent} from '../../src/phases/dependents.ts';
import {verifyMembers} from '../../src/phases/verifying.ts';
import {clusterID, idOf, members, newSet, observationOf, ownPodOf, planOf} from '../unit/decide/observations.ts';
import {actingWith, actionOf, forcedPod, planned, ready, recordingClient, serving, simulated} from './fixtures.ts';

const writing: Verb[] = ['create', 'update', 'patch', 'delete'];

describe('12. The StatefulSet\'s spec is byte for byte the same before and after', () => {
  it('no verb that changes one is used, granted, or accepted by the client', () => {
    const sets: KindEntry[] = Object.values(kinds).filter((entry: KindEntry) => entry.plural === 'statefulsets' || entry.plural === 'statefulsets/status');
    assert.deepEqual(sets.flatMap(({verbs}) => verbs).filter((verb) => writing.includes(verb)), []);
    for (const verb of writing) assert.throws(() => { requireVerb('StatefulSet', verb); }, /no right to/);
    assert.deepEqual(extraRights.filter(({resource}) => resource === 'statefulsets'), []);
    const rules = parseAllDocuments(readFileSync('deploy/install.yaml', 'utf8')).map((document) => document.toJS() as {kind: string; rules?: {resources?: string[]; verbs: Verb[]}[]});
    const granted = rules.filter(({kind}) => kind === 'ClusterRole' || kind === 'Role').flatMap((role) => role.rules ?? []).filter(({resources}) => resources?.some((name) => name === 'statefulsets' || name === '*'));
    assert.ok(granted.length > 0, 'deploy/install.yaml grants to read them');
    assert.deepEqual(granted.flatMap(({verbs}) => verbs).filter((verb) => !['get', 'list', 'watch'].includes(verb)), []);
  });

  it('the one right to write a count is of no use on it: a dependent of its name is refused at admission, and by the act itself', async () => {
    const named = specSchema.parse({target: {statefulSet: 'etcd'}, dependents: [{kind: 'StatefulSet', name: 'etcd'}]});
    assert.deepEqual(brokenRules(named).length, 1);
    const changes: string[] = [];
    const acting = actingWith(observationOf({status: {run: planned()}}), {}, recordingClient(changes));
    for (const act of [stopDependent, async (...[at, dependent]: Parameters<typeof stopDependent>) => await returnDependent(at, dependent, 3)]) {
      await assert.rejects(act(acting, {kind: 'StatefulSet', name: 'etcd', object: newSet(3), pods: []}), /it is never changed/);
    }
    assert.deepEqual(changes, []);
  });

  it('making pods from its template leaves the set that was read as it is', () => {
    const set = newSet(3);
    const before = JSON.stringify(set);
    const options = {...ready(), set};
    forcedPod(options);
    const observation = observationOf(options);
    ownPod(sourceOf(observation, observation.ordinals[0] ?? assert.fail()), 'run-1', true);
    actionOf(join(observationOf({...serving(), set}), 'etcd-1'), 'ReplacePod');
    assert.equal(JSON.stringify(set), before);
  });

  it('in whole recoveries it is the same object, Parallel or in order, recovered or degraded', async function whole() {
    this.timeout(60_000);
    for (const scenario of [{}, {ordered: true}, {spareNodes: 0}]) {
      const specs = new Set<string>();
      const {outcome, simulation} = await simulated(scenario, [[12, 'after']], ({world}) => {
        specs.add(JSON.stringify(world.store.get('StatefulSet', 'db', 'etcd')?.spec));
        world.store.onChange(({kind, object}) => { if (kind === 'StatefulSet') specs.add(JSON.stringify((object as {spec?: object}).spec)); });
      });
      specs.add(JSON.stringify(simulation.world.store.get('StatefulSet', 'db', 'etcd')?.spec));
      assert.ok(outcome === 'Recovered' || outcome === 'Degraded');
      assert.equal(specs.size, 1);
      const said = simulation.invariants.status.run?.steps.find(({name}) => name === 'Verify')?.message ?? '';
      assert.match(said, /StatefulSet unchanged/);
    }
  });

  it('that somebody else changed it is said at the end', async () => {
    const status = {clusterID, memberID: idOf(0), version: '3.6.16', leader: 'a0', raftTerm: 5, raftIndex: 1, raftAppliedIndex: 1, revision: 9, dbSizeBytes: 1, isLearner: false, errors: []};
    const member = {
      status: async () => await Promise.resolve(status), put: async () => await Promise.resolve({revision: 9}), alarms: async () => await Promise.resolve([]),
      memberList: async () => await Promise.resolve({clusterID, members: members(1)}), get: async () => await Promise.resolve({value: undefined, revision: 9}),
      hashKV: async () => await Promise.resolve({hash: 1, compactRevision: 0}),
    };
    const said = async (hash: string) => {
      const observation = observationOf({ordinals: [{object: ownPodOf(0)}], status: {run: planned({plan: planOf({setSpecHash: hash})})}});
      const outcome = await verifyMembers(actingWith(observation, member), {pods: ['etcd-0'], via: 'etcd-0'});
      return 'message' in outcome ? outcome.message ?? '' : outcome.kind;
    };
    assert.match(await said(setSpecHash(newSet(1))), /StatefulSet unchanged/);
    assert.match(await said('sha256-another'), /changed by someone else/);
  });
});
