import assert from 'node:assert/strict';
import type {V1Container} from '@kubernetes/client-node';
import {serves} from '../../../src/cli/operators.ts';

const says = (container: Partial<V1Container>): boolean => serves({containers: [{name: 'operator', ...container}]}, 'db');

describe('whether an operator serves a namespace', () => {
  it('takes one without settings, or that cannot be read, for one that serves all', () => {
    assert.equal(serves(undefined, 'db'), true);
    assert.equal(says({}), true);
    assert.equal(says({args: ['--namespaces=', '--exclude-namespaces=']}), true);
  });

  const cases: [string, Partial<V1Container>, boolean][] = [
    ['is named', {args: ['--namespaces=other,db']}, true],
    ['is not named', {args: ['--namespaces=other,db2']}, false],
    ['is not named in the word behind the flag', {args: ['--namespaces', 'other']}, false],
    ['is named in the environment', {env: [{name: 'WATCH_NAMESPACES', value: 'db'}]}, true],
    ['is not named in the environment', {env: [{name: 'WATCH_NAMESPACES', value: 'other'}]}, false],
    ['is named by the flag, which outweighs the environment', {args: ['--namespaces=db'], env: [{name: 'WATCH_NAMESPACES', value: 'other'}]}, true],
    ['is left out', {args: ['--exclude-namespaces=other, db']}, false],
    ['is left out by the environment', {env: [{name: 'EXCLUDE_NAMESPACES', value: 'db'}]}, false],
    ['is not among those left out', {args: ['--exclude-namespaces=other']}, true],
  ];
  for (const [title, container, expected] of cases) {
    it(`${expected ? 'serves' : 'does not serve'} one that ${title}`, () => { assert.equal(says(container), expected); });
  }
});
