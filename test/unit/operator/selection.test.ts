import assert from 'node:assert/strict';
import {Selection} from '../../../src/operator/selection.ts';
import {resource} from './fake-feed.ts';

const all = {namespaces: [], excludedNamespaces: [], namespaceSelector: '', resourceSelector: ''};
const inNamespace = (namespace: string, labels?: Record<string, string>) => resource('etcd', 'etcd', {metadata: {name: 'etcd', namespace, ...(labels && {labels})}});
const namespaceEvent = (type: 'Added' | 'Deleted', name: string) => ({kind: 'Namespace' as const, type, object: {metadata: {name}}});

describe('what an installation serves', () => {
  it('is everything by default, and it knows that there is nothing else', () => {
    const selection = new Selection(all);
    assert.equal(selection.serves(inNamespace('db')), true);
    assert.equal(selection.narrow, false);
  });
  it('is known to be all of a namespace only where no labels of resources are asked for', () => {
    assert.equal(new Selection({...all, namespaces: ['db']}).isComplete('db'), true);
    assert.equal(new Selection({...all, namespaces: ['db']}).isComplete('other'), false);
    assert.equal(new Selection({...all, resourceSelector: 'shard=a'}).isComplete('db'), false);
    assert.equal(new Selection({...all, namespaceSelector: 'team=db'}).isComplete('db'), false);
  });
  it('is what its lists of namespaces say', () => {
    const some = new Selection({...all, namespaces: ['db']});
    assert.deepEqual([some.serves(inNamespace('db')), some.serves(inNamespace('other')), some.narrow], [true, false, true]);
    const others = new Selection({...all, excludedNamespaces: ['db']});
    assert.deepEqual([others.serves(inNamespace('db')), others.serves(inNamespace('other')), others.narrow], [false, true, true]);
  });
  it('is what the labels of resources say', () => {
    const selection = new Selection({...all, resourceSelector: 'shard=a'});
    assert.deepEqual([selection.serves(inNamespace('db', {shard: 'a'})), selection.serves(inNamespace('db', {shard: 'b'})), selection.serves(inNamespace('db'))], [true, false, false]);
  });
  it('changes with the namespaces that have the labels, and leaves those out that are named', () => {
    const selection = new Selection({...all, namespaceSelector: 'team=db', excludedNamespaces: ['left']});
    assert.equal(selection.serves(inNamespace('db')), false);
    for (const name of ['db', 'left']) selection.see(namespaceEvent('Added', name));
    assert.deepEqual([selection.serves(inNamespace('db')), selection.serves(inNamespace('left'))], [true, false]);
    selection.see(namespaceEvent('Deleted', 'db'));
    assert.equal(selection.serves(inNamespace('db')), false);
  });
});
