import assert from 'node:assert/strict';
import {apiVersion, kind, marks} from '../../../src/api/types.ts';
import {heldMessageStart} from '../../../src/api/types.ts';
import {holdBinding, holdPolicy} from '../../../src/generate/policy.ts';
import {read} from './repository.ts';

const expressions = [...holdPolicy.spec.variables, ...holdPolicy.spec.validations].map(({expression}) => expression);

describe('the hold policy', () => {
  it('never stops a cluster\'s pods when it is broken, or when no QuorumRecovery is there', () => {
    assert.equal(holdPolicy.spec.failurePolicy, 'Ignore');
    assert.equal(holdBinding.spec.paramRef.parameterNotFoundAction, 'Allow');
    assert.deepEqual(holdBinding.spec.validationActions, ['Deny']);
  });

  it('asks every QuorumRecovery of the pod\'s own namespace', () => {
    assert.deepEqual(holdPolicy.spec.paramKind, {apiVersion, kind});
    assert.deepEqual(holdBinding.spec.paramRef.selector, {});
    assert.equal(holdBinding.spec.policyName, holdPolicy.metadata.name);
  });

  it('begins its denial with the words by which the operator knows it', () => {
    const [held] = holdPolicy.spec.validations;
    const text = held?.messageExpression.replaceAll(/' \+ params\.metadata\.name \+ '/g, 'etcd').replaceAll('\'', '');
    assert.ok(text?.startsWith(heldMessageStart('etcd')), text);
    assert.match(read('src/phases/holding.ts'), /heldMessageStart\(/, 'the proof of the hold looks for it');
  });

  it('knows pods by the marks that the operator puts on them', () => {
    for (const mark of [marks.run, marks.step, marks.resource]) assert.ok(expressions.some((expression) => expression.includes(`'${mark}'`)), mark);
    assert.ok(holdPolicy.spec.matchConditions[0]?.expression.includes(`'${marks.helper}'`));
  });

  it('lets in, of a run that is over or of none, only what takes leavings away and what takes a backup, which touch no member\'s data (decide/backup/backups.test.ts)', () => {
    const [, late] = holdPolicy.spec.validations;
    assert.match(late?.expression ?? '', /variables\.podStep in \['Prune', 'Backup'\] \|\|/);
    // Neither has a say in who may take a held name.
    assert.ok(!holdPolicy.spec.validations[0]?.expression.includes('podStep'));
  });

  it('has balanced quotes and parentheses in every expression', () => {
    for (const expression of expressions) {
      assert.equal(expression.split('\'').length % 2, 1, expression);
      const bare = expression.replaceAll(/'[^']*'/g, '');
      assert.equal(bare.split('(').length, bare.split(')').length, expression);
    }
  });
});
