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

  it('say of a silent member that the certificate of its peer port has expired, and nothing of what that port thinks of the operator\'s', async () => {
    const silent = (() => ({status: () => Promise.reject(new EtcdError('Timeout', 'no answer')), memberList: () => Promise.resolve({clusterID: 'c1', members: []}), close: () => undefined})) as never;
    const words = async (of: string): Promise<string> => {
      const access = new EtcdAccess({connect: silent, peer: () => Promise.reject(new EtcdError('Certificate', `GET /members on peer port failed: ${of}`))});
      const {ordinals: [first]} = await access.probe(observationOf({}), {tls: undefined, auth: undefined, problem: undefined});
      access.close();
      return first?.probe.kind === 'Failed' ? first.probe.message : assert.fail();
    };
    assert.equal(await words('the member\'s certificate has expired: certificate has expired'), 'no answer. GET /members on peer port failed: the member\'s certificate has expired: certificate has expired');
    assert.equal(await words('the member does not know the CA of the client certificate: alert unknown ca'), 'no answer');
    assert.equal(await words('the client certificate has expired: alert certificate expired'), 'no answer');
  });
});
