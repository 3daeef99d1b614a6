import assert from 'node:assert/strict';
import type {QuorumRecovery} from '../../../src/api/types.ts';
import {run as approve} from '../../../src/cli/commands/approve.ts';
import {pause, resume} from '../../../src/cli/commands/pause.ts';
import {run as moveLeader} from '../../../src/cli/commands/move-leader.ts';
import {run as plan} from '../../../src/cli/commands/plan.ts';
import {run as recover} from '../../../src/cli/commands/recover.ts';
import {run as status} from '../../../src/cli/commands/status.ts';
import {run as version} from '../../../src/cli/commands/version.ts';
import {run as wait} from '../../../src/cli/commands/wait.ts';
import {explain} from '../../../src/cli/explain.ts';
import {CommandError} from '../../../src/cli/failure.ts';
import {ApiError} from '../../../src/kubernetes/errors.ts';
import {at, condition, FakeApi, FakeWorld, holding, invoke, planOf, resourceOf, runOf} from './fake.ts';

const asking = () => resourceOf(holding({
  phase: 'AwaitingApproval', heldPods: [], run: runOf({steps: [{name: 'Plan', state: 'Done'}, {name: 'Approve', state: 'Running'}]}),
  conditions: [condition('Ready', 'Unknown', 'AwaitingApproval', 'plan')],
}), {spec: {approval: 'Required'}});

const over = (outcome: 'Recovered' | 'Degraded' | 'NotNeeded' | 'Released' | 'Failed', more: object = {}) =>
  resourceOf(holding({phase: 'Complete', heldPods: [], run: runOf({outcome, finishedAt: at(30)}), conditions: [condition('Ready', 'True', outcome, 'over'), condition('Complete', 'True', outcome, 'over')]}), more);

const stalled = () => resourceOf(holding({phase: 'Blocked', conditions: [condition('Ready', 'False', 'FencingUnproven', 'node n0'), condition('Stalled', 'True', 'FencingUnproven', 'node n0')]}));

const apiWith = (...resources: QuorumRecovery[]) => {
  const api = new FakeApi();
  for (const resource of resources) api.seed('QuorumRecovery', resource);
  api.seed('StatefulSet', {metadata: {name: 'etcd', namespace: 'db', uid: 'set-uid'}});
  return api;
};

const failing = async (promise: Promise<number>, code: number, message: RegExp) => {
  await assert.rejects(promise, (error: unknown) => {
    assert.ok(error instanceof CommandError, String(error));
    assert.equal(error.code, code, error.message);
    assert.match(error.message, message);
    return true;
  });
};

describe('the plugin\'s commands', () => {
  describe('which resource', () => {
    it('is the only one, the named one, or the one for a StatefulSet of that name', async () => {
      const api = apiWith(resourceOf(holding(), {metadata: {name: 'watch'}}));
      for (const words of [[], ['watch'], ['etcd']]) {
        const world = new FakeWorld(api);
        assert.equal(await status(invoke(words), world), 0);
        assert.match(world.text, /^watch in db, StatefulSet etcd/);
      }
    });

    it('is asked for where there are several, and told where there is none', async () => {
      const two = apiWith(resourceOf({}, {metadata: {name: 'a'}}), resourceOf({}, {metadata: {name: 'b'}}));
      await failing(plan(invoke(), new FakeWorld(two)), 2, /Which one\? Namespace db has a, b/);
      await failing(plan(invoke(['c']), new FakeWorld(two)), 1, /no QuorumRecovery c in namespace db\. There are a, b/);
      await failing(status(invoke(), new FakeWorld(apiWith())), 1, /no QuorumRecovery in namespace db.*recover STATEFULSET/);
      const world = new FakeWorld(two);
      assert.equal(await status(invoke(), world), 0);
      assert.match(world.text, /2 clusters/);
    });
  });

  describe('status --watch', () => {
    it('goes on while the API server is away, says so, and ends where it stays away', async () => {
      const api = apiWith(resourceOf(holding()));
      const world = new FakeWorld(api);
      const away = new ApiError({verb: 'list', kind: 'QuorumRecovery', object: 'db', code: 0, reason: 'Unavailable', message: 'gone'});
      world.meanwhile = () => { api.list = () => Promise.reject(away); };
      await assert.rejects(status(invoke([], {watch: true}), world), away);
      assert.match(world.said[1] ?? '', /has not answered for 1 s; this is what was seen last/);
      assert.equal(world.said.length, 60);
    });
  });

  describe('plan', () => {
    it('tells by its exit code where the plan stands', async () => {
      const cases: [QuorumRecovery, number][] = [
        [asking(), 10], [resourceOf(holding()), 11], [stalled(), 12], [resourceOf(undefined), 13], [over('Recovered'), 0], [over('NotNeeded'), 0],
        [resourceOf({run: {id: 'r', attempt: 1, startedAt: at(0), steps: []}}), 13],
      ];
      for (const [resource, code] of cases) assert.equal(await plan(invoke(), new FakeWorld(apiWith(resource))), code, JSON.stringify(resource.status?.conditions));
    });

    it('gives the plan as data', async () => {
      const world = new FakeWorld(apiWith(asking()));
      await plan(invoke([], {output: 'json'}), world);
      assert.deepEqual(JSON.parse(world.text), planOf());
    });
  });

  describe('approve', () => {
    it('shows the plan, asks, and approves what was shown and nothing that came in between', async () => {
      const api = apiWith(asking());
      const world = new FakeWorld(api, true);
      world.answers = ['y'];
      const before = api.peek('QuorumRecovery', 'db', 'etcd')?.metadata.resourceVersion;
      assert.equal(await approve(invoke(), world), 0);
      assert.match(world.text, /Survivor {2}etcd-2/);
      const [change] = api.changes;
      assert.deepEqual(change?.body, {
        metadata: {uid: 'uid-of-etcd', resourceVersion: before, annotations: {'quorumrecovery.io/approved-by': `ada ${planOf().hash} ${new Date(world.time).toISOString()}`}},
        spec: {approval: 'Required', approvedPlan: planOf().hash},
      });
    });

    it('refuses another hash, a no, and a place where nobody can be asked', async () => {
      const api = apiWith(asking());
      await failing(approve(invoke([], {hash: 'sha256-b', yes: true}), new FakeWorld(api)), 3, /has plan sha256-a+ by now, not sha256-b: nothing was approved/);
      await failing(approve(invoke(), new FakeWorld(api)), 3, /Nobody can be asked here: add --yes/);
      await failing(approve(invoke(), new FakeWorld(api, true)), 3, /Nothing was changed/);
      assert.deepEqual(api.changes, []);
    });

    it('refuses where nothing waits for an approval', async () => {
      await failing(approve(invoke([], {yes: true}), new FakeWorld(apiWith(resourceOf(holding())))), 1, /does not wait for an approval/);
      await failing(approve(invoke([], {yes: true}), new FakeWorld(apiWith(over('NotNeeded')))), 1, /no plan to approve/);
    });
  });

  describe('recover', () => {
    it('makes a resource with what was asked for', async () => {
      const api = apiWith();
      const options = {'yes': true, 'approval': 'Required', 'survivor': 'etcd-2', 'lost': ['etcd-0=a0'], 'tls-secret': 'tls', 'canary': ['k']};
      assert.equal(await recover(invoke(['etcd'], options), new FakeWorld(api)), 0);
      const {spec, metadata} = api.changes[0]?.body as QuorumRecovery;
      assert.deepEqual(spec, {target: {statefulSet: 'etcd', tls: {secretName: 'tls'}}, approval: 'Required', survivor: {pod: 'etcd-2'}, lostMembers: [{pod: 'etcd-0', memberID: 'a0'}], verification: {canaryKeys: ['k']}});
      assert.match(metadata.annotations?.['quorumrecovery.io/requested-by'] ?? '', /^ada /);
    });

    it('asks an existing one for another run, and keeps what it said of lost members', async () => {
      const api = apiWith(over('NotNeeded', {spec: {lostMembers: [{pod: 'etcd-1', memberID: 'a1'}]}}));
      const world = new FakeWorld(api);
      assert.equal(await recover(invoke(['etcd'], {yes: true, lost: ['etcd-0']}), world), 0);
      const {spec} = api.changes[0]?.body as QuorumRecovery;
      assert.deepEqual(spec.trigger, {request: new Date(world.time).toISOString()});
      assert.deepEqual(spec.lostMembers, [{pod: 'etcd-1', memberID: 'a1'}, {pod: 'etcd-0', memberID: 'a0'}]);
    });

    it('asks for no second run while one is in flight, but passes on what a person says', async () => {
      const api = apiWith(stalled());
      const world = new FakeWorld(api);
      await recover(invoke(['etcd'], {yes: true}), world);
      assert.match(world.text, /has a run in flight already; nothing was changed/);
      assert.equal(api.changes.length, 0);
      await recover(invoke(['etcd'], {yes: true, lost: ['etcd-0']}), new FakeWorld(api));
      assert.deepEqual((api.changes[0]?.body as QuorumRecovery).spec, {lostMembers: [{pod: 'etcd-0', memberID: 'a0'}]});
    });

    it('asks about each lost member by itself, and a no changes nothing', async () => {
      const api = apiWith(over('NotNeeded'));
      const world = new FakeWorld(api, true);
      world.answers = ['y', 'n'];
      await failing(recover(invoke(['etcd'], {lost: ['etcd-0', 'etcd-2']}), world), 3, /Nothing was changed/);
      assert.match(world.asked[1] ?? '', /member a2 of etcd-2 does not run any more/);
      assert.deepEqual(api.changes, []);
    });

    it('refuses what it cannot know or do', async () => {
      await failing(recover(invoke(), new FakeWorld(apiWith())), 2, /Which StatefulSet/);
      await failing(recover(invoke(['other']), new FakeWorld(apiWith())), 1, /no StatefulSet other in namespace db: it has etcd/);
      await failing(recover(invoke(['etcd'], {yes: true, lost: ['etcd-1']}), new FakeWorld(apiWith())), 2, /member ID of etcd-1 is not known/);
      await failing(recover(invoke(['etcd'], {yes: true, lost: ['etcd-1=XYZ']}), new FakeWorld(apiWith())), 2, /XYZ is no member ID/);
      await failing(recover(invoke(['etcd'], {yes: true}), new FakeWorld(apiWith(over('NotNeeded', {spec: {paused: true}})))), 1, /is paused.*resume etcd/);
    });

    it('prints YAML and changes nothing in a dry run, and needs no right to see the set', async () => {
      const api = apiWith();
      api.forbidden.add('get StatefulSet');
      const world = new FakeWorld(api);
      assert.equal(await recover(invoke(['etcd'], {'dry-run': true}), world), 0);
      assert.match(world.text, /^apiVersion: quorumrecovery.io\/v1alpha1\nkind: QuorumRecovery\nmetadata:\n {2}name: etcd/);
      assert.deepEqual(api.changes, []);
    });
  });

  describe('move-leader', () => {
    const leading = (status: 'True' | 'False', reason: string, generation = 1) => ({
      ...resourceOf({observedGeneration: generation, conditions: [condition('PreferredLeader', status, reason, 'etcd-1 and etcd-0')]}), metadata: {name: 'etcd', namespace: 'db', generation},
    });
    it('says in the spec who is to lead, and takes it back', async () => {
      const api = apiWith(leading('True', 'Leads'));
      for (const to of ['etcd-1', 'Previous', 'none']) assert.equal(await moveLeader(invoke([], {to}), new FakeWorld(api)), 0);
      assert.deepEqual(api.changes.map(({body}) => (body as QuorumRecovery).spec), [{preferredLeader: 'etcd-1'}, {preferredLeader: 'Previous'}, {preferredLeader: null}]);
    });
    it('stays until it leads, and ends where it never can', async () => {
      const api = apiWith(leading('False', 'Waiting'));
      const world = new FakeWorld(api);
      world.meanwhile = () => { api.seed('QuorumRecovery', leading('True', 'Leads')); };
      assert.equal(await moveLeader(invoke([], {to: 'etcd-1', wait: true}), world), 0);
      assert.deepEqual(world.said.slice(1).map((said) => said.trim()), ['0.0 s  Waiting: etcd-1 and etcd-0', '0.5 s  Leads: etcd-1 and etcd-0']);
      assert.equal(await moveLeader(invoke([], {to: 'etcd-7', wait: true}), new FakeWorld(apiWith(leading('False', 'NoSuchPod')))), 1);
      await failing(moveLeader(invoke([], {to: 'etcd-1', wait: true, timeout: '2s'}), new FakeWorld(apiWith(leading('False', 'Waiting')))), 23, /not done within 2\.0 s/);
    });
    it('refuses what is no pod of the set', async () => {
      const api = apiWith(leading('True', 'Leads'));
      await failing(moveLeader(invoke(), new FakeWorld(api)), 2, /Where to\?/);
      await failing(moveLeader(invoke([], {to: 'other-1'}), new FakeWorld(api)), 2, /other-1 is no pod of StatefulSet etcd, such as etcd-0: nothing was changed/);
      assert.deepEqual(api.changes, []);
    });
  });

  describe('wait', () => {
    it('ends with the code of the outcome', async () => {
      for (const [outcome, code] of [['Recovered', 0], ['NotNeeded', 0], ['Degraded', 20], ['Released', 21], ['Failed', 22]] as const) {
        assert.equal(await wait(invoke(), new FakeWorld(apiWith(over(outcome)))), code, outcome);
      }
    });

    it('prints what changes, and takes no old run for the answer to a new request', async () => {
      const resource = over('NotNeeded', {spec: {trigger: {type: 'Manual', request: 'again'}}});
      const api = apiWith(resource);
      const world = new FakeWorld(api);
      let looks = 0;
      world.meanwhile = () => {
        looks += 1;
        if (looks === 2) api.seed('QuorumRecovery', resourceOf(holding(), {spec: {trigger: {type: 'Manual', request: 'again'}}}));
        if (looks === 5) api.seed('QuorumRecovery', {...over('Recovered', {spec: {trigger: {type: 'Manual', request: 'again'}}}), status: {...over('Recovered').status, run: runOf({request: 'again', outcome: 'Recovered', finishedAt: at(30)})}});
      };
      assert.equal(await wait(invoke(), world), 0);
      assert.equal(looks, 5);
      assert.deepEqual(world.said.map((line) => line.trim().replace(/ +/g, ' ')), ['0.0 s Complete 2/4 over', '1.0 s Holding 2/4 Stop: etcd-2 is stopping', '2.5 s Complete 2/4 over']);
    });

    it('waits for the operator to have seen the newest spec', async () => {
      const api = apiWith({...over('Recovered'), metadata: {...over('Recovered').metadata, generation: 2}});
      await failing(wait(invoke([], {timeout: '3s'}), new FakeWorld(api)), 23, /not done within 3\.0 s/);
    });

    it('returns where a person is needed only if asked to', async () => {
      assert.equal(await wait(invoke([], {stop: true}), new FakeWorld(apiWith(asking()))), 10);
      assert.equal(await wait(invoke([], {stop: true}), new FakeWorld(apiWith(stalled()))), 12);
      await failing(wait(invoke([], {timeout: '1m'}), new FakeWorld(apiWith(stalled()))), 23, /It goes on by itself/);
      await failing(wait(invoke([], {timeout: 'soon'}), new FakeWorld(apiWith(stalled()))), 2, /--timeout is a duration/);
    });

    it('sits an absent API server out, and ends where the resource is deleted', async () => {
      const api = apiWith(resourceOf(holding()));
      const world = new FakeWorld(api);
      const get = api.get.bind(api);
      let looks = 0;
      world.meanwhile = () => {
        looks += 1;
        api.get = looks < 4 ? () => Promise.reject(new ApiError({verb: 'get', kind: 'QuorumRecovery', object: '', code: 0, reason: 'Unavailable', message: 'gone'})) : get;
        if (looks === 6) api.remove('QuorumRecovery', 'db', 'etcd');
      };
      await failing(wait(invoke(), world), 21, /is gone: somebody deleted it/);
      assert.equal(world.errors.length, 1);
    });
  });

  describe('pause and resume', () => {
    it('say what becomes of the run, and ask only where one is in flight', async () => {
      const api = apiWith(over('NotNeeded'));
      const world = new FakeWorld(api);
      assert.equal(await pause(invoke(), world), 0);
      assert.match(world.text, /etcd is paused: no run will begin until "kubectl quorum-recovery -n db resume etcd"/);
      assert.equal(api.peek('QuorumRecovery', 'db', 'etcd')?.spec.paused, true);
      await pause(invoke(), world);
      assert.match(world.text, /paused already/);
      assert.equal(await resume(invoke(), world), 0);
      assert.equal(api.peek('QuorumRecovery', 'db', 'etcd')?.spec.paused, false);
      await failing(pause(invoke(), new FakeWorld(apiWith(resourceOf(holding())))), 3, /its run has forced nothing yet, so every held pod is let go/);
      const forced = resourceOf(holding({run: runOf({force: {attempt: 1, pod: 'x', turnGiven: true}})}));
      await failing(pause(invoke(), new FakeWorld(apiWith(forced))), 3, /this run is finished first/);
    });
  });

  it('version tells the operator\'s where it may be seen', async () => {
    const api = apiWith();
    const world = new FakeWorld(api);
    await version(invoke(), world);
    assert.match(world.text, /plugin +\d+\.\d+\.\d+.*\ncluster +Kubernetes v1\.35\.4\noperator +none/s);
    api.forbidden.add('list Deployment');
    const other = new FakeWorld(api);
    await version(invoke(), other);
    assert.match(other.text, /no right to list deployments/);
  });

  it('explains a missing right, a missing operator and an absent API server', () => {
    const error = (code: number, verb: 'list' | 'patch' | 'get', kind: string) => explain(new ApiError({verb, kind, object: 'db', code, reason: '', message: 'm'}));
    assert.match(error(403, 'list', 'QuorumRecovery'), /no right to list quorumrecoveries \(db\)\. The ClusterRole "view"/);
    assert.match(error(403, 'patch', 'QuorumRecovery'), /The ClusterRole "edit"/);
    assert.match(error(403, 'patch', 'QuorumRecovery/status'), /quorumrecoveries\/status.*Only an administrator/);
    assert.match(error(403, 'list', 'Pod'), /kubectl -n db create role list-pods --verb=list --resource=pods/);
    assert.match(error(403, 'list', 'Node'), /create clusterrole list-nodes/);
    assert.match(error(404, 'list', 'QuorumRecovery'), /the operator is not installed/);
    assert.match(error(401, 'get', 'Pod'), /Log in again/);
    assert.match(error(0, 'get', 'Pod'), /does not answer.*--context/s);
  });
});
