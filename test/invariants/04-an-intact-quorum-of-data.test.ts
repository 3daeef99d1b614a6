import assert from 'node:assert/strict';
import {approve} from '../../src/decide/steps/approve.ts';
import {force} from '../../src/decide/steps/force.ts';
import {hold} from '../../src/decide/steps/hold.ts';
import {inspect} from '../../src/decide/steps/inspect.ts';
import {plan} from '../../src/decide/steps/plan.ts';
import {stop} from '../../src/decide/steps/stop.ts';
import {answers, clusterID, idOf, node, observationOf, ownPodOf, recordOf, silent, waiting} from '../unit/decide/observations.ts';
import type {ObservationOptions, OrdinalOptions} from '../unit/decide/observations.ts';
import {at, facts, forcedPod, held, heldHere, lost, planned, ready, records, simulated, told, withHelper} from './fixtures.ts';

const nodes = [0, 1, 2].map((index) => node(`node-${index}`));
const silentHere = (index: number, more: OrdinalOptions = {}): OrdinalOptions => ({object: ownPodOf(index, {statuses: [waiting]}), probe: silent, ...more});
const gone = held(2);
const witness = (claimUID: string) => ({clusterID, revision: 1, raftIndex: 1, raftTerm: 1, observedAt: at, members: [0, 1, 2].map((index) => ({pod: `etcd-${index}`, memberID: idOf(index), claimUID: index === 1 ? claimUID : `claim-uid-${index}`, volume: `pv-${index}`}))});

describe('4. While a quorum of data is intact nothing is forced, restored or rebuilt', () => {
  const decide = (more: ObservationOptions) => told(plan(observationOf({...lost(), nodes, ...more})));

  it('a quorum that serves is left alone', () => {
    const ordinals = [0, 1].map((index): OrdinalOptions => ({probe: answers(index, 3, {leader: 'a0'})}));
    assert.equal(decide({ordinals: [...ordinals, gone], more: {linearizable: true}}), 'not-needed');
    assert.equal(decide({ordinals: [...ordinals, gone]}), 'wait', 'a leader is named, and nobody could read through it');
  });

  it('two of three disks that are there are not forced: read, to be attached anywhere, or not readable at all', () => {
    const read = (one: object) => ({members: [recordOf(0), recordOf(1), recordOf(2)], run: planned({plan: undefined, identity: undefined, offline: [facts(0), facts(1, one)]})});
    assert.equal(decide({ordinals: [silentHere(0), silentHere(1), gone], status: read({})}), 'blocked QuorumOfDataIntact');
    assert.equal(decide({ordinals: [silentHere(0), silentHere(1), gone], status: read({data: 'Unreadable', memberID: undefined, unfit: 'broken'})}), 'blocked QuorumOfDataIntact');
    assert.equal(decide({ordinals: [{probe: answers(0, 3)}, held(1, {place: {at: 'Anywhere'}}), gone], nodes: [node('node-0')]}), 'blocked QuorumOfDataIntact');
  });

  it('that they are there is said before anybody is asked for a word about processes', () => {
    const away = [0, 1, 2].map((index) => node(`node-${index}`, {ready: index === 0}));
    const ordinals = [{probe: answers(0, 3)}, ...[1, 2].map((index) => held(index, {object: ownPodOf(index), place: {at: 'Anywhere' as const}}))];
    assert.equal(decide({ordinals, nodes: away}), 'blocked QuorumOfDataIntact');
  });

  it('a disk that nobody has looked at is read first', () => {
    assert.equal(decide({ordinals: [{probe: answers(0, 3)}, silentHere(1), gone]}), 'CreatePod');
  });

  it('a disk that may return is not given up', () => {
    const ordinals = [{probe: answers(0, 3)}, held(1, {place: {at: 'NotReadyNode', nodes: ['node-1']}}), gone];
    const proven = {members: [recordOf(0), recordOf(1, {fenced: {by: 'KubeletConfirmed' as const, podUID: 'pod-uid-1', at}}), recordOf(2)], run: planned({plan: undefined, identity: undefined, offline: []})};
    assert.equal(decide({ordinals, nodes: [node('node-0'), node('node-1', {ready: false})], status: proven}), 'blocked QuorumOfDataIntact');
  });

  it('a person\'s word does not outweigh an etcd that answers, or a volume that any node can attach', () => {
    const lostMembers = [1, 2].map((index) => ({pod: `etcd-${index}`, memberID: idOf(index)}));
    assert.equal(decide({ordinals: [{probe: answers(0, 3)}, {probe: answers(1, 3)}, gone], spec: {lostMembers}}), 'blocked QuorumOfDataIntact');
    assert.equal(decide({ordinals: [{probe: answers(0, 3)}, held(1, {place: {at: 'Anywhere'}}), gone], nodes: [node('node-0')], spec: {lostMembers}}), 'blocked QuorumOfDataIntact');
  });

  it('a claim that was made anew is another disk: it is no data, and one that was not is', () => {
    const ordinals = [{probe: answers(0, 3)}, held(1, {place: {at: 'Anywhere'}}), gone];
    const with_ = (claimUID: string) => ({ordinals, nodes: [node('node-0')], status: {members: [recordOf(0), recordOf(1), recordOf(2)], run: planned({plan: undefined, identity: undefined, offline: []}), lastHealthy: witness(claimUID)}});
    assert.equal(decide(with_('claim-uid-1')), 'blocked QuorumOfDataIntact');
    assert.equal(decide(with_('another')), 'DryRunPods');
  });

  const back = ready(planned({offline: [facts(0), facts(1)]}), {ordinals: [heldHere(0), heldHere(1), gone], nodes: [node('node-0'), node('node-1')]});
  for (const [name, step] of [['Hold', hold], ['Stop', stop], ['Inspect', inspect], ['Force', force]] as const) {
    it(`${name} lets everything go when a quorum of data is within reach again, read or not`, () => {
      assert.equal(told(step(observationOf(back))), 'abort QuorumOfDataIntact');
      assert.equal(told(step(observationOf({...back, status: {members: records, run: planned()}}))), 'abort QuorumOfDataIntact');
    });
  }

  it('so does the last question before the turn, and the wait for an approval', () => {
    const waits = planned({offline: [facts(0), facts(1)], force: {attempt: 1, pod: 'etcd-0-force-1'}});
    assert.equal(told(force(withHelper({...back, status: {members: records, run: waits}}, forcedPod()))), 'abort QuorumOfDataIntact');
    assert.equal(told(approve(observationOf({...lost(), ordinals: [{probe: answers(0, 3)}, held(1, {place: {at: 'Anywhere'}}), gone], status: {members: records, run: planned()}, spec: {approval: 'Required'}}))), 'blocked QuorumOfDataIntact');
  });

  it('whole recoveries never force while voters\' disks are there', async function whole() {
    this.timeout(60_000);
    const forced = async (scenario: Parameters<typeof simulated>[0]) => {
      const {simulation, outcome, blocked} = await simulated(scenario);
      return {forces: simulation.invariants.forces, end: outcome ?? blocked};
    };
    assert.deepEqual(await forced({network: true}), {forces: 0, end: 'QuorumOfDataIntact'});
    assert.deepEqual(await forced({fates: ['Named', 'Named', 'Alive'], network: true}), {forces: 0, end: 'QuorumOfDataIntact'});
    assert.equal((await forced({fates: ['DeadNotReady', 'Deleted', 'Alive']})).forces, 0);
    assert.equal((await forced({fates: ['Alive', 'Alive', 'Deleted']})).forces, 0);
    assert.equal((await forced({fates: ['CutOff', 'Deleted', 'Alive'], backAfterMs: 5_000})).forces, 0);
  });
});
