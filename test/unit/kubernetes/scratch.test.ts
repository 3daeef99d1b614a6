import assert from 'node:assert/strict';
import {scratchOf} from '../../../src/kubernetes/scratch.ts';
import {nodeView} from '../../../src/observe/places.ts';
import {node} from '../decide/observations.ts';

const mebibyte = 1 << 20;

describe('The room for a snapshot on the disk of a node', () => {
  it('is asked of the scheduler where a node accounts for it', () => {
    const {resources, volume} = scratchOf(100 * mebibyte, {bounded: true, nodes: [node('a')]});
    assert.deepEqual(resources, {requests: {'ephemeral-storage': '132Mi'}, limits: {'ephemeral-storage': '264Mi'}});
    assert.deepEqual(volume.emptyDir, {sizeLimit: '264Mi'});
  });

  it('is not asked of it where none does, or the pod would never be placed', () => {
    const {resources, volume} = scratchOf(100 * mebibyte, {bounded: true, nodes: [nodeView({metadata: {name: 'a'}})]});
    assert.deepEqual([resources, volume.emptyDir], [undefined, {}]);
  });

  it('is not asked of it where the size is not known', () => {
    assert.equal(scratchOf(undefined, {bounded: true, nodes: [node('a')]}).resources, undefined);
  });
});
