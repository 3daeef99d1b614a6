import assert from 'node:assert/strict';
import type {QuorumRecoveryStatus} from '../../../../src/api/types.ts';
import {settleQuorumEnded} from '../../../../src/decide/evidence/quorumEnded.ts';
import {answers, node, now, observationOf, ownPodOf, recordOf, running, runOf} from '../observations.ts';
import type {ObservationOptions} from '../observations.ts';

const iso = (seconds: number) => new Date(now + seconds * 1_000).toISOString();
const suspicion = {since: iso(-90), kubernetes: 'k', etcd: 'e'};
const suspected = (): QuorumRecoveryStatus => ({suspicion, members: [0, 1, 2].map((index) => recordOf(index))});
const lost: ObservationOptions = {ordinals: [{probe: answers(0, 3)}, {}, {}], nodes: [node('node-0')]};

/** What stands in the status after a look so many seconds later. */
function look(draft: QuorumRecoveryStatus, seconds: number, options: ObservationOptions = lost): string | undefined {
  settleQuorumEnded(draft, {...observationOf({...options, status: draft}), now: now + seconds * 1_000});
  return draft.quorumEnded?.at;
}

describe('since when no quorum of the old members can have acknowledged a write', () => {
  it('is the first look at which too few of them are left unproven, however long the run waits after it', () => {
    const draft = suspected();
    assert.equal(look(draft, 0), iso(0));
    assert.equal(look(draft, 3_600), iso(0));
  });
  it('is not known while a node of a quorum is there, ready or not', () => {
    const draft = suspected();
    assert.equal(look(draft, 0, {...lost, nodes: [node('node-0'), node('node-1', {ready: false})]}), undefined);
  });
  it('begins anew once a node was back, and went again', () => {
    const draft = suspected();
    look(draft, 0);
    assert.equal(look(draft, 10, {...lost, nodes: [node('node-0'), node('node-1')]}), undefined);
    assert.equal(look(draft, 20), iso(20));
  });
  it('begins anew where a pod is another one, on another node, or ran another container, which nobody may have been there to see', () => {
    const other: ObservationOptions[] = [
      {...lost, ordinals: [{probe: answers(0, 3)}, {object: ownPodOf(1, {uid: 'another'})}, {}]},
      {...lost, ordinals: [{probe: answers(0, 3)}, {object: ownPodOf(1, {node: 'node-9'})}, {}]},
      {...lost, ordinals: [{probe: answers(0, 3)}, {object: ownPodOf(1, {statuses: [{...running, containerID: 'containerd://2'}]})}, {}]},
      {...lost, ordinals: [{probe: answers(0, 3)}, {object: undefined}, {}]},
    ];
    for (const options of other) {
      const draft = suspected();
      look(draft, 0);
      assert.equal(look(draft, 10, options), iso(10));
    }
  });
  it('is the same while a survivor crash-loops, which is no quorum', () => {
    const draft = suspected();
    look(draft, 0);
    const restarted = {...lost, ordinals: [{object: ownPodOf(0, {statuses: [{...running, containerID: 'containerd://2', restartCount: 1}]}), probe: answers(0, 3)}, {}, {}]};
    assert.equal(look(draft, 10, restarted), iso(0));
  });
  it('stays what it is once names are held: the pods are the run\'s own then', () => {
    const draft: QuorumRecoveryStatus = {...suspected(), run: runOf()};
    look(draft, 0);
    draft.heldPods = ['etcd-1'];
    assert.equal(look(draft, 10, {...lost, ordinals: [{probe: answers(0, 3)}, {object: ownPodOf(1, {gated: true, uid: 'held'})}, {}]}), iso(0));
  });
  it('is not taken from pods that are held already', () => {
    const draft: QuorumRecoveryStatus = {...suspected(), run: runOf(), heldPods: ['etcd-1']};
    assert.equal(look(draft, 0), undefined);
  });
  it('is forgotten once nothing is suspected and no run is in flight', () => {
    const draft: QuorumRecoveryStatus = {...suspected(), heldPods: ['etcd-1']};
    draft.quorumEnded = {at: iso(0), of: 'x'};
    delete draft.suspicion;
    draft.run = runOf({finishedAt: iso(5), outcome: 'Degraded'});
    assert.equal(look(draft, 10), undefined);
  });
});
