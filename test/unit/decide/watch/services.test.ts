import assert from 'node:assert/strict';
import type {V1ContainerPort, V1Endpoint, V1Service, V1ServiceSpec} from '@kubernetes/client-node';
import {findingsOf} from '../../../../src/decide/watch/findings.ts';
import {servicesAstray} from '../../../../src/decide/watch/services.ts';
import type {KubernetesClient} from '../../../../src/kubernetes/client.ts';
import {leadingElsewhere} from '../../../../src/observe/services.ts';
import type {Observation} from '../../../../src/observe/observation.ts';
import {answers, newSet, observationOf, ownPodOf} from '../observations.ts';

const selector = {app: 'etcd'};
const service = (spec: V1ServiceSpec, name = 'etcd-client'): V1Service => ({metadata: {name}, spec: {selector, ports: [{port: 2379}], ...spec}});

const podOf = (index: number, ready: boolean) => {
  const pod = ownPodOf(index);
  return {...pod, metadata: {...pod.metadata, labels: {...pod.metadata?.labels, app: 'etcd'}}, status: {...pod.status, conditions: [{type: 'Ready', status: ready ? 'True' : 'False'}]}};
};

function cluster(services: V1Service[], {ready = true, ports}: {ready?: boolean; ports?: V1ContainerPort[]} = {}): Observation {
  const set = newSet(3);
  const container = set.spec?.template.spec?.containers[0];
  if (container && ports) container.ports = ports;
  return observationOf({
    set, ordinals: [0, 1, 2].map((index) => ({object: podOf(index, ready), probe: answers(index, 3, {leader: 'a0'})})), more: {services, linearizable: true},
  });
}

const words = (...args: Parameters<typeof cluster>): string => servicesAstray(cluster(...args)).map((one) => one.words).join('\n');

describe('a Service of a cluster all of whose members serve', () => {
  it('is right where it selects the pods and leads to the client port', () => {
    const good = [
      service({}), service({ports: [{port: 2379, targetPort: 2379}]}), service({ports: [{port: 80, name: 'etcd-client', targetPort: '2379'}]}),
      service({clusterIP: 'None', publishNotReadyAddresses: true, ports: [{port: 2380}]}, 'etcd'),
    ];
    assert.equal(words(good), '');
    assert.equal(words([service({ports: [{port: 2379, targetPort: 'c'}]})], {ports: [{name: 'c', containerPort: 2379}]}), '');
  });
  it('leads nowhere with a selector that no pod has', () => {
    assert.equal(words([service({selector: {app: 'etc'}})]), 'Service etcd-client selects app=etc, and the pods of StatefulSet etcd have app=etcd: it leads to none of them');
  });
  it('leads somewhere on purpose where other pods are Ready behind it, as those of a proxy', async () => {
    const proxied = service({selector: {app: 'etcd-proxy'}});
    const observation = cluster([proxied, service({}, 'etcd'), service({selector: {app: 'api'}}, 'api')]);
    const asked: (string | undefined)[] = [];
    const behind = (endpoints: V1Endpoint[]): KubernetesClient => ({list: async (_kind: string, _namespace: string, {labelSelector}: {labelSelector?: string}) => {
      asked.push(labelSelector);
      return await Promise.resolve([{endpoints}]);
    }}) as unknown as KubernetesClient;
    const at = async (name: string, ready: boolean): Promise<string[]> => await leadingElsewhere(behind([{addresses: ['10.0.0.9'], conditions: {ready}, targetRef: {kind: 'Pod', name}}]), 'db', observation);
    assert.deepEqual(await at('etcd-proxy-abc', true), ['etcd-client']);
    assert.deepEqual(asked, ['kubernetes.io/service-name=etcd-client'], 'others are nobody\'s business here');
    assert.deepEqual(await at('etcd-proxy-abc', false), []);
    assert.deepEqual(await at('etcd-0', true), []);
    assert.equal(servicesAstray({...observation, elsewhere: ['etcd-client']}).length, 0);
    assert.equal(servicesAstray(observation).length, 1);
  });
  it('leads nowhere with a port on which etcd does not serve', () => {
    assert.equal(words([service({ports: [{port: 2379, targetPort: 2378}]})]), 'port 2379 of Service etcd-client leads to port 2378 of the pods, and etcd serves its clients on 2379');
    assert.match(words([service({ports: [{port: 2379, targetPort: 'clients'}]})]), /leads to a port named clients, and no container of the template has one of that name$/);
  });
  it('leads nowhere while no pod is Ready, which counts once it lasts', () => {
    const observation = cluster([service({})], {ready: false});
    assert.match(servicesAstray(observation)[0]?.words ?? '', /^Service etcd-client leads to no pod, as none is Ready although their etcd answers: look at the readiness probe$/);
    const first = findingsOf(observation, []);
    assert.deepEqual([first.findings, first.inMs], [[], 5_000]);
    const later = findingsOf({...observation, now: observation.now + 10_000}, first.doubts);
    assert.deepEqual(later.findings.map((finding) => [finding.case, finding.service]), [['ServiceAstray', 'etcd-client']]);
  });
  it('is told at once where it lasts until somebody corrects it, with what a recovery would do', () => {
    const {findings, inMs} = findingsOf(cluster([service({selector: {app: 'x'}})]), []);
    assert.equal(inMs, undefined, 'the cluster behind it is well: nobody looks at it more often');
    assert.match(findings[0]?.message ?? '', /All members serve, and a recovery would not help: correct the Service$/);
  });
  it('is let be where it is another one\'s, has no selector, or leads to a port that a container declares', () => {
    const others = [
      service({selector: {app: 'api'}}, 'api'), service({type: 'ExternalName', externalName: 'x.example'}), service({selector: {}}),
      service({ports: [{port: 2381, name: 'metrics'}]}, 'etcd-metrics'), service({ports: [{port: 9090, name: 'exporter', targetPort: 'switched-off'}]}, 'etcd-exporter'), service({ports: [{port: 2379, targetPort: 12_379}]}, 'etcd-proxy'),
    ];
    assert.equal(words(others, {ports: [{containerPort: 12_379}]}), '');
  });
  it('is not looked at while a member is missing: that is what is wrong then', () => {
    const observation = cluster([service({selector: {app: 'x'}})]);
    const [a, b, c] = observation.ordinals;
    assert.ok(a && b && c);
    const {findings} = findingsOf({...observation, ordinals: [a, b, {...c, probe: {kind: 'NotAsked', why: 'the pod does not exist'}}]}, []);
    assert.deepEqual(findings.map((finding) => finding.case), ['MemberNotAnswering']);
  });
});
