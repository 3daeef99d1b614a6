import assert from 'node:assert/strict';
import {EtcdError} from '../../../src/etcd/errors.ts';
import type {EtcdMember} from '../../../src/etcd/types.ts';
import {EtcdAccess} from '../../../src/observe/access.ts';
import type {ProbeObservation} from '../../../src/observe/access.ts';
import {answers, members, observationOf, ownPodOf} from '../decide/observations.ts';

/** Of three members the first answers, the second serves only its peers, the third is gone. */
const connect = (({address}: {address: string}): Partial<EtcdMember> => {
  const probe = answers(0, 3);
  const fail = (kind: 'Timeout' | 'Unreachable') => Promise.reject(new EtcdError(kind, kind));
  return {
    status: () => (address === '10.0.0.1' ? fail('Timeout') : address === '10.0.0.2' ? fail('Unreachable') : Promise.resolve(probe.kind === 'Answered' ? probe.status : assert.fail())),
    memberList: () => Promise.resolve({clusterID: 'c1', members: members(3)}), authEnabled: () => Promise.resolve(false), close: () => undefined,
  };
}) as never;

describe('questions to members', () => {
  it('are each told of once with what came of them: an answer, an answer of the peer port alone, or none, and why', async () => {
    const told: ProbeObservation[] = [];
    const access = new EtcdAccess({connect, peer: () => Promise.resolve({clusterID: 'c1', members: members(3)}), onProbe: (probe) => { told.push(probe); }});
    const ordinals = [0, 1, 2].map((index) => {
      const pod = ownPodOf(index);
      return {object: {...pod, status: {...pod.status, podIP: `10.0.0.${index}`}}};
    });
    const {ordinals: seen} = await access.probe(observationOf({ordinals}), {tls: undefined, auth: undefined, problem: undefined});
    assert.deepEqual(seen.map(({probe}) => probe.kind), ['Answered', 'PeerOnly', 'Failed']);
    assert.deepEqual(told.map(({result, cause}) => [result, cause]).sort(), [['Answered', undefined], ['Failed', 'Unreachable'], ['PeerOnly', 'Timeout']]);
    assert.ok(told.every(({seconds}) => seconds >= 0 && seconds < 30));
    access.close();
  });
});
