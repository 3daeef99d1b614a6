import assert from 'node:assert/strict';
import {specSchema} from '../../../src/api/spec.ts';
import {statusSchema} from '../../../src/api/status.ts';
import {apiVersion, kind, marks} from '../../../src/api/types.ts';
import {heldMessageStart} from '../../../src/api/types.ts';
import {kinds} from '../../../src/kubernetes/kinds.ts';
import type {KindEntry} from '../../../src/kubernetes/kinds.ts';
import {installed, only} from '../generate/repository.ts';
import type {Manifest} from '../generate/repository.ts';
import {ApiServer, eventually, kubernetesBinary} from './api-server.ts';
import type {Answer} from './api-server.ts';
import {specCases, updateCases} from './cases.ts';

const collections: Record<string, string> = {
  Namespace: '/api/v1/namespaces', ServiceAccount: '/api/v1/namespaces/NS/serviceaccounts', Service: '/api/v1/namespaces/NS/services',
  Deployment: '/apis/apps/v1/namespaces/NS/deployments', PodDisruptionBudget: '/apis/policy/v1/namespaces/NS/poddisruptionbudgets',
  CustomResourceDefinition: '/apis/apiextensions.k8s.io/v1/customresourcedefinitions',
  ValidatingAdmissionPolicy: '/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies',
  ValidatingAdmissionPolicyBinding: '/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings',
  ClusterRole: '/apis/rbac.authorization.k8s.io/v1/clusterroles', ClusterRoleBinding: '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings',
  Role: '/apis/rbac.authorization.k8s.io/v1/namespaces/NS/roles', RoleBinding: '/apis/rbac.authorization.k8s.io/v1/namespaces/NS/rolebindings',
};
const namespace = 'quorum-recovery-system';
const recoveries = `/apis/${apiVersion}/namespaces/default/quorumrecoveries`;
const now = '2026-01-31T10:00:00Z';

describe('on a real API server', function () {
  this.timeout(120_000);
  const server = new ApiServer();
  const manifests = installed();

  before(async function () {
    const binary = kubernetesBinary();
    if (binary === undefined) {
      console.log('      skipped: the lab\'s Kubernetes binary was not built yet (make lab builds it)');
      this.skip();
    }
    await server.start(binary);
    for (const manifest of manifests) await apply(manifest);
    const served = await eventually(() => server.ask('GET', recoveries), ({code}) => code === 200);
    assert.equal(served.code, 200, served.body.message);
  });
  after(async () => { await server.stop(); });

  async function apply(manifest: Manifest): Promise<void> {
    const path = `${collections[manifest.kind]?.replace('NS', namespace) ?? manifest.kind}/${manifest.metadata.name}`;
    const {code, body} = await server.ask('PATCH', `${path}?fieldManager=test&fieldValidation=Strict`, manifest, 'application/apply-patch+yaml');
    assert.ok(code === 200 || code === 201, `${manifest.kind} ${manifest.metadata.name}: ${body.message ?? ''}`);
  }

  const recovery = (name: string, spec: unknown) => ({apiVersion, kind, metadata: {name}, spec});
  const create = (spec: unknown, name = 'case') => server.ask('POST', `${recoveries}?fieldValidation=Strict${name === 'case' ? '&dryRun=All' : ''}`, recovery(name, spec));

  async function setStatus(name: string, status: unknown): Promise<void> {
    statusSchema.parse(status);
    const {body} = await server.ask('GET', `${recoveries}/${name}`);
    const answer = await server.ask('PUT', `${recoveries}/${name}/status?fieldValidation=Strict`, {...body, status});
    assert.equal(answer.code, 200, answer.body.message);
  }

  it('every plain manifest is applied with strict validation, twice', async () => {
    for (const manifest of manifests) await apply(manifest);
    const {body} = await server.ask('GET', `${collections['CustomResourceDefinition'] ?? ''}/quorumrecoveries.quorumrecovery.io`);
    const {conditions} = body['status'] as {conditions: {type: string; status: string; message: string}[]};
    assert.deepEqual(conditions.filter(({type, status}) => (type === 'NonStructuralSchema') === (status === 'True')), []);
  });

  it('every spec is judged as zod judges it, and gets the same defaults', async () => {
    for (const {title, spec, refused} of specCases) {
      const {code, body} = await create(spec);
      assert.equal(code, refused === undefined ? 201 : 422, `${title}: ${body.message ?? 'taken'}`);
      if (refused === undefined) assert.deepEqual(body['spec'], specSchema.parse(spec), title);
      else assert.match(body.message ?? '', refused, title);
    }
  });

  it('every change is judged by the old value too', async () => {
    for (const {title, before: old, after: changed, refused} of updateCases) {
      const made = await create(old, 'change');
      assert.equal(made.code, 201, made.body.message);
      const {metadata} = made.body as {metadata?: object};
      const {code, body} = await server.ask('PUT', `${recoveries}/change`, {...recovery('change', changed), metadata});
      assert.equal(code, refused === undefined ? 200 : 422, `${title}: ${body.message ?? 'taken'}`);
      if (refused !== undefined) assert.match(body.message ?? '', refused, title);
      await server.ask('DELETE', `${recoveries}/change`);
    }
  });

  it('the operator\'s pod is taken in its namespace of the restricted standard', async () => {
    const {template} = only(manifests, 'Deployment').spec as {template: {spec: unknown}};
    const {code, body} = await server.ask('POST', `/api/v1/namespaces/${namespace}/pods?dryRun=All`, {apiVersion: 'v1', kind: 'Pod', metadata: {name: 'operator'}, spec: template.spec});
    assert.equal(code, 201, body.message);
  });

  it('the operator\'s ServiceAccount may do all that the table of kinds lists, and reads no list of Secrets', async () => {
    const may = async (group: string, plural: string, verb: string, where: string, name?: string) => {
      const [resource, subresource] = plural.split('/');
      const {body} = await server.ask('POST', '/apis/authorization.k8s.io/v1/subjectaccessreviews', {
        apiVersion: 'authorization.k8s.io/v1', kind: 'SubjectAccessReview',
        spec: {user: `system:serviceaccount:${namespace}:quorum-recovery-operator`, resourceAttributes: {group, resource, subresource, verb, namespace: where, name}},
      });
      return (body['status'] as {allowed: boolean}).allowed;
    };
    for (const [title, entry] of Object.entries(kinds as Record<string, KindEntry>)) {
      const group = entry.apiVersion.includes('/') ? entry.apiVersion.replace(/\/.*/, '') : '';
      const [where, name] = title === 'Lease' ? [namespace, 'quorum-recovery-operator'] : ['anywhere', undefined];
      for (const verb of entry.verbs) {
        assert.ok(await may(group, entry.plural, verb, where, verb === 'create' ? undefined : name), `${verb} ${entry.plural}`);
      }
    }
    assert.ok(await may('apps', 'statefulsets/finalizers', 'update', 'anywhere'));
    assert.equal(await may('', 'secrets', 'list', 'anywhere'), false);
    assert.equal(await may('coordination.k8s.io', 'leases', 'update', namespace, 'another'), false);
    // Another installation's is read, to know whether it is held, and never written; none is listed.
    assert.equal(await may('coordination.k8s.io', 'leases', 'get', 'elsewhere', 'another'), true);
    for (const verb of ['create', 'update', 'patch', 'delete', 'list', 'watch']) assert.equal(await may('coordination.k8s.io', 'leases', verb, 'kube-system', 'quorum-recovery-operator'), false, verb);
    assert.equal(await may('apps', 'statefulsets', 'patch', 'anywhere'), false);
  });

  describe('the hold policy', () => {
    const owner = {apiVersion: 'apps/v1', kind: 'StatefulSet', name: 'etcd', uid: 'u', controller: true, blockOwnerDeletion: true};
    const pod = (name: string, metadata: object = {}) =>
      ({apiVersion: 'v1', kind: 'Pod', metadata: {name, ...metadata}, spec: {containers: [{name: 'etcd', image: 'etcd'}]}});
    const own = (name: string, run?: string, reference: object = {}) =>
      pod(name, {ownerReferences: [{...owner, ...reference}], ...(run !== undefined && {annotations: {[marks.run]: run}})});
    const helper = (step: string, run: string, resource = 'etcd') =>
      pod('helper', {labels: {[marks.helper]: 'Agent', [marks.resource]: resource}, annotations: {[marks.run]: run, [marks.step]: step}});
    const tryOut = (object: object, where = 'default') => server.ask('POST', `/api/v1/namespaces/${where}/pods?dryRun=All`, object);
    const admitted = async (title: string, object: object, where?: string) => {
      const {code, body} = await tryOut(object, where);
      assert.equal(code, 201, `${title}: ${body.message ?? ''}`);
    };
    const denied = async (title: string, object: object, message: RegExp) => {
      const {code, body} = await tryOut(object);
      assert.equal(code, 403, `${title} was admitted`);
      assert.match(body.message ?? '', message, title);
    };
    const step = (name: string, state: string) => ({name, state});
    const run = (more: object = {}) => ({id: 'run-1', attempt: 1, startedAt: now, steps: [step('Plan', 'Done'), step('Hold', 'Running'), step('Force', 'Pending')], ...more});
    const history = [{id: 'run-0', outcome: 'Recovered', finishedAt: now, durationSeconds: 1}];
    const held = new RegExp(heldMessageStart('etcd'));

    before(async () => {
      assert.equal((await create({target: {statefulSet: 'etcd'}}, 'etcd')).code, 201);
      await server.ask('POST', '/api/v1/namespaces', {apiVersion: 'v1', kind: 'Namespace', metadata: {name: 'elsewhere'}});
      await admitted('no status yet', own('etcd-1'));
      await setStatus('etcd', {heldPods: ['etcd-0', 'etcd-1', 'etcd-2'], run: run(), history});
      const answer: Answer = await eventually(() => tryOut(own('etcd-1')), ({code}) => code === 403);
      assert.match(answer.body.message ?? 'never denied', held);
    });

    it('denies the controller a held name, and admits this run\'s own pod', async () => {
      await denied('the controller\'s pod', own('etcd-2'), held);
      await denied('the pod of an earlier run', own('etcd-2', 'run-0'), held);
      await admitted('this run\'s pod', own('etcd-2', 'run-1'));
    });

    it('touches nobody else', async () => {
      await admitted('a name that is not held', own('etcd-3'));
      await admitted('the same name in another namespace', own('etcd-1'), 'elsewhere');
      await admitted('a pod without owner', pod('etcd-1'));
      await admitted('a pod of a ReplicaSet', own('etcd-1', undefined, {kind: 'ReplicaSet'}));
      await admitted('a pod of another StatefulSet API', own('etcd-1', undefined, {apiVersion: 'apps.kruise.io/v1beta1'}));
      await admitted('a pod that the set does not control', own('etcd-1', undefined, {controller: false}));
    });

    it('denies a helper pod of a step or a run that is over', async () => {
      await denied('a step that is done', helper('Plan', 'run-1'), /step Plan of run-1 of QuorumRecovery etcd is over/);
      await denied('a run that is past', helper('Force', 'run-0'), /step Force of run-0 of QuorumRecovery etcd is over/);
    });

    it('admits a helper pod whose step this API server has not seen begin yet', async () => {
      for (const [name, id] of [['Hold', 'run-1'], ['Force', 'run-1'], ['InspectHeld', 'run-1'], ['Trial', 'run-1'], ['Force', 'run-2']] as const) {
        await admitted(`${name} of ${id}`, helper(name, id));
      }
      await admitted('a helper of another resource', helper('Plan', 'run-1', 'other'));
    });

    it('lets go when nothing is held any more, and denies helpers of the finished run', async () => {
      await setStatus('etcd', {run: run({finishedAt: now, outcome: 'Recovered'}), history});
      assert.equal((await eventually(() => tryOut(own('etcd-1')), ({code}) => code === 201)).code, 201);
      await denied('a helper after the end', helper('Later', 'run-1'), /is over/);
    });
  });
});
