import assert from 'node:assert/strict';
import type {OfflineFacts, QuorumRecoveryStatus} from '../../../../src/api/types.ts';
import type {Decision} from '../../../../src/decide/decision.ts';
import {plan} from '../../../../src/decide/steps/plan.ts';
import {stop} from '../../../../src/decide/steps/stop.ts';
import {clusterID, ended, idOf, members, node, now, observationOf, ownPodOf, recordOf, runOf, waiting} from '../observations.ts';
import type {ObservationOptions, OrdinalOptions} from '../observations.ts';

const at = new Date(now).toISOString();
/** The log is damaged from its beginning: neither member nor cluster stands anywhere but in the database's list. */
const nameless = (more: Partial<OfflineFacts> = {}): OfflineFacts => ({
  pod: 'etcd-0', stage: 'Planning', data: 'Unreadable', revision: 48, readAt: at, unfit: 'its data cannot be read: crc mismatch', broken: true, message: 'crc mismatch',
  database: {index: 95, term: 5, revision: 48, bytes: 20_480, file: 'db'}, members: members(3).map(({id, name, peerURLs}) => ({id, name, peerURLs, isLearner: false})), ...more,
});
const gone = (index: number): OrdinalOptions => ({object: ownPodOf(index), place: {at: 'GoneNode', nodes: [`node-${index}`]}});
/** Nobody saw the cluster before: no record, no witness. */
const lost = (own: OrdinalOptions = {}, facts: OfflineFacts = nameless(), more: ObservationOptions = {}, status: QuorumRecoveryStatus = {}): ObservationOptions => ({
  ordinals: [own, gone(1), gone(2)], nodes: [node('node-0')], status: {run: runOf({offline: [facts]}), ...status}, ...more,
});

function decided(options: ObservationOptions): {decision: Decision; status: QuorumRecoveryStatus; words: string} {
  const observation = observationOf(options);
  const decision = plan(observation);
  const status = structuredClone(observation.status);
  if ('record' in decision) decision.record(status);
  return {decision, status, words: 'message' in decision && decision.kind === 'blocked' ? `${decision.reason}: ${decision.message}` : JSON.stringify(decision)};
}

describe('A disk whose log does not say whose it is', () => {
  it('is that of the member which its own database lists for the pod that ran on it: its database is restored', () => {
    const {status, words} = decided(lost());
    assert.deepEqual([status.run?.plan?.strategy, status.run?.plan?.snapshot?.pod], ['RestoreSnapshot', 'etcd-0'], words);
  });

  it('is that too where the witness, or an earlier answer, saw the member on this very claim in an earlier pod', () => {
    const {status, words} = decided(lost({}, nameless(), {}, {members: [recordOf(0, {podUID: 'an-earlier-one'})]}));
    assert.equal(status.run?.plan?.snapshot?.pod, 'etcd-0', words);
  });

  it('is nobody\'s before a pod has started on it, and the refusal says what to do', () => {
    for (const object of [undefined, ownPodOf(0, {statuses: [waiting]})]) {
      const {words} = decided(lost({object}));
      assert.match(words, /^FencingUnproven: etcd-0 has data to start from, .* nobody saw the last process of member a0 \(etcd-0\) end: the log on its disk is damaged where it says whose it is, and no etcd of pod etcd-0 has started on it: let the StatefulSet make that pod, and let it start/);
    }
  });

  const [own = assert.fail(), ...others] = nameless().members ?? [];
  const doubts: [string, ObservationOptions, RegExp][] = [
    ['its database lists two members for the pod', lost({}, nameless({members: [own, {...own, id: 'b0', isLearner: true}, ...others]})), /its database lists a0, b0 for etcd-0/],
    ['the data of another pod says that it is this member\'s', lost({}, nameless(), {status: {run: runOf({offline: [nameless(), {pod: 'etcd-1', stage: 'Planning', data: 'Present', memberID: idOf(0), clusterID, readAt: at, members: members(3)}]})}}), /the data of etcd-1 says that it is this member's/],
    ['the member was seen on another claim', lost({}, nameless(), {}, {members: [recordOf(0, {podUID: 'an-earlier-one', claimUID: 'another-claim'})]}), /this member was seen on another claim than data-etcd-0/],
  ];
  for (const [title, options, why] of doubts) {
    it(`is not taken for it where ${title}: blocked, with why and what to do`, () => {
      const {words} = decided(options);
      assert.match(words, /^FencingUnproven/);
      assert.match(words, why);
      assert.match(words, /or give this one up: name the member in spec\.lostMembers \(\{pod: etcd-0, memberID: a0\}\), and its data is not used/);
    });
  }

  it('is given up by a person\'s word: then there is nothing of it to start from', () => {
    const options = doubts[0]?.[1] ?? assert.fail();
    const {words} = decided({...options, spec: {lostMembers: [{pod: 'etcd-0', memberID: 'a0'}]}});
    assert.doesNotMatch(words, /FencingUnproven/);
    assert.match(words, /^NoSurvivor/);
  });

  it('leaves the proof of its end with the member that it is, although nothing tells of which cluster it was', () => {
    const {status} = decided(lost());
    assert.equal(status.run?.identity, undefined);
    const run = {...status.run ?? assert.fail(), steps: [{name: 'Stop', state: 'Running' as const}]};
    const object = ownPodOf(0, {statuses: [ended()], deleting: true, finalizers: ['quorumrecovery.io/fence']});
    const held = (index: number): OrdinalOptions => ({...gone(index), object: ownPodOf(index, {gated: true, uid: `held-${index}`, annotations: {'quorumrecovery.io/run': 'run-1'}})});
    const observation = observationOf({ordinals: [{object}, held(1), held(2)], nodes: [node('node-0')], status: {...status, run, heldPods: ['etcd-0', 'etcd-1', 'etcd-2']}});
    const decision = stop(observation);
    if ('record' in decision) decision.record(observation.status);
    const record = observation.status.members?.find(({pod}) => pod === 'etcd-0');
    assert.deepEqual([record?.memberID, record?.fenced?.by, record?.fenced?.podUID], ['a0', 'KubeletConfirmed', 'pod-uid-0'], JSON.stringify(decision));
  });
});
