import assert from 'node:assert/strict';
import type {V1NodeSelectorRequirement, V1PersistentVolume} from '@kubernetes/client-node';
import {nodeView, placeOf} from '../../../src/observe/places.ts';
import {node} from '../decide/observations.ts';

const claim = {spec: {volumeName: 'pv'}, status: {phase: 'Bound'}};
const volume = (...matchExpressions: V1NodeSelectorRequirement[]): V1PersistentVolume =>
  ({spec: matchExpressions.length === 0 ? {} : {nodeAffinity: {required: {nodeSelectorTerms: [{matchExpressions}]}}}});
const onNode = (...values: string[]): V1NodeSelectorRequirement => ({key: 'kubernetes.io/hostname', operator: 'In', values});

describe('where the data behind a claim can be reached', () => {
  const cases: [string, Parameters<typeof placeOf>, string][] = [
    ['nowhere, when the claim is gone', [undefined, undefined, []], '{"at":"Missing"}'],
    ['nowhere, while the claim has no volume', [{spec: {}}, undefined, []], '{"at":"Unbound"}'],
    ['nowhere, when its volume is gone', [claim, undefined, []], '{"at":"Unbound"}'],
    ['nowhere, when the claim has lost its volume', [{...claim, status: {phase: 'Lost'}}, volume(), []], '{"at":"Unbound"}'],
    ['on any node, when the volume names none', [claim, volume(), []], '{"at":"Anywhere"}'],
    ['on its Ready node', [claim, volume(onNode('n')), [node('n')]], '{"at":"Node","nodes":["n"]}'],
    ['on a NotReady node', [claim, volume(onNode('n')), [node('n', {ready: false})]], '{"at":"NotReadyNode","nodes":["n"]}'],
    ['on no node any more', [claim, volume(onNode('n')), [node('other')]], '{"at":"GoneNode","nodes":["n"]}'],
    ['on no node any more, when it is out of service', [claim, volume(onNode('n')), [node('n', {ready: false, outOfService: true})]], '{"at":"GoneNode","nodes":["n"]}'],
    ['on the nodes of its zone that are Ready', [claim, volume({key: 'zone', operator: 'In', values: ['a']}), [node('n', {labels: {zone: 'a'}}), node('m', {labels: {zone: 'b'}}), node('o', {labels: {zone: 'a'}, ready: false})]], '{"at":"Node","nodes":["n"]}'],
    ['by Exists, NotIn and DoesNotExist too', [claim, volume({key: 'disk', operator: 'Exists'}, {key: 'zone', operator: 'NotIn', values: ['b']}, {key: 'x', operator: 'DoesNotExist'}), [node('n', {labels: {disk: ''}}), node('m', {labels: {disk: '', zone: 'b'}}), node('o', {labels: {disk: '', x: ''}})]], '{"at":"Node","nodes":["n"]}'],
    ['by Gt and Lt too', [claim, volume({key: 'size', operator: 'Gt', values: ['5']}, {key: 'size', operator: 'Lt', values: ['9']}), [node('n', {labels: {size: '7'}}), node('m', {labels: {size: '9'}}), node('o')]], '{"at":"Node","nodes":["n"]}'],
  ];
  for (const [title, args, expected] of cases) it(title, () => { assert.equal(JSON.stringify(placeOf(...args)), expected); });

  it('is told by matchFields on the node\'s name', () => {
    const term = {matchFields: [{key: 'metadata.name', operator: 'In', values: ['n']}]};
    assert.deepEqual(placeOf(claim, {spec: {nodeAffinity: {required: {nodeSelectorTerms: [term]}}}}, [node('n'), node('m')]), {at: 'Node', nodes: ['n']});
  });
});

describe('a Node as fencing sees it', () => {
  it('is Ready by its condition alone, and out of service by its taint', () => {
    const view = nodeView({
      metadata: {name: 'n', uid: 'u'}, spec: {providerID: 'p', taints: [{key: 'node.kubernetes.io/out-of-service', effect: 'NoExecute'}]},
      status: {conditions: [{type: 'Ready', status: 'Unknown'}], nodeInfo: {machineID: 'm', systemUUID: 's'} as never},
    });
    assert.deepEqual(view, {name: 'n', uid: 'u', ready: false, outOfService: true, unschedulable: false, machineID: 'm', systemUUID: 's', providerID: 'p', labels: {}});
  });
  it('has empty IDs where it has not reported any', () => {
    const {machineID, systemUUID, providerID, ready} = nodeView({metadata: {name: 'n'}});
    assert.deepEqual([machineID, systemUUID, providerID, ready], ['', '', '', false]);
  });
  it('accounts for the room on its disk where its kubelet reports how much there is', () => {
    assert.equal(nodeView({metadata: {name: 'n'}, status: {allocatable: {'ephemeral-storage': '90Gi'}}}).ephemeralStorage, true);
    assert.equal(nodeView({metadata: {name: 'n'}, status: {allocatable: {cpu: '2'}}}).ephemeralStorage, undefined);
  });
});
