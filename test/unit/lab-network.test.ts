import assert from 'node:assert/strict';
import {apiPartyName, nodeAddress, nodePodNetwork, pairsBetween, partitionRules} from '../lab/network.ts';

describe('the lab\'s partitions', () => {
  it('pair every one of the first set with every one of the second', () => {
    assert.deepEqual(pairsBetween([1, 2], [3, apiPartyName]), [[1, 3], [1, 'api'], [2, 3], [2, 'api']]);
  });

  it('never pair a node with itself', () => {
    assert.deepEqual(pairsBetween([1, 2], [2]), [[1, 2]]);
  });

  it('drop both directions between the nodes and between their pods', () => {
    const rules = partitionRules([[1, 2]]).split('\n').filter((line) => line.endsWith('DROP'));
    assert.deepEqual(rules, [
      '-A LAB-FORWARD -s 10.89.0.11,10.244.1.0/24 -d 10.89.0.12,10.244.2.0/24 -j DROP',
      '-A LAB-FORWARD -s 10.89.0.12,10.244.2.0/24 -d 10.89.0.11,10.244.1.0/24 -j DROP',
    ]);
  });

  it('cut the API server and the kubelet from each other, and nothing else, when "api" is a party', () => {
    const rules = partitionRules([[apiPartyName, 3]]).split('\n').filter((line) => line.endsWith('DROP'));
    assert.equal(rules.length, 4);
    assert.ok(rules.every((rule) => /--[ds]port (6443|10250) /.test(rule)));
  });

  it('replace the earlier rules at once, also when there are none to come', () => {
    const lines = partitionRules([]).trim().split('\n');
    assert.deepEqual(lines, ['*mangle', '-F LAB-INPUT', '-F LAB-OUTPUT', '-F LAB-FORWARD', 'COMMIT']);
  });

  it('give each node its own address and pod network', () => {
    assert.equal(nodeAddress(7), '10.89.0.17');
    assert.equal(nodePodNetwork(7), '10.244.7.0/24');
  });
});
