import assert from 'node:assert/strict';
import type {V1Container} from '@kubernetes/client-node';
import {carriesOut, selectorsOf, serves} from '../../../src/cli/operators.ts';
import {resourceOf, runOf} from './fake.ts';

const specOf = (container: Partial<V1Container>) => ({containers: [{name: 'operator', ...container}]});
const says = (container: Partial<V1Container>): boolean => serves(specOf(container), {namespace: 'db', namespaceLabels: {team: 'db'}, resource: resourceOf(undefined, {metadata: {labels: {shard: 'a'}}})});

describe('whether an operator serves a namespace', () => {
  it('takes one without settings, or that cannot be read, for one that serves all', () => {
    assert.equal(serves(undefined, {namespace: 'db', namespaceLabels: undefined}), true);
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
    ['has the labels of its namespaces', {args: ['--namespace-selector=team in (db,queue)']}, true],
    ['has other labels', {args: ['--namespace-selector=team!=db']}, false],
    ['has a resource with its labels', {env: [{name: 'RESOURCE_SELECTOR', value: 'shard=a'}]}, true],
    ['has a resource with other labels', {args: ['--resource-selector', 'shard=b']}, false],
    ['has a resource without the label', {args: ['--resource-selector=!shard']}, false],
    ['it has a selector for that nobody can read', {args: ['--resource-selector=shard=(']}, true],
    ['is not among those left out', {args: ['--exclude-namespaces=other']}, true],
  ];
  for (const [title, container, expected] of cases) {
    it(`${expected ? 'serves' : 'does not serve'} one that ${title}`, () => { assert.equal(says(container), expected); });
  }
});

describe('whether labels rule an operator out', () => {
  it('is not said where they may not be read, or where there is no resource yet', () => {
    assert.equal(serves(specOf({args: ['--namespace-selector=team=db']}), {namespace: 'db', namespaceLabels: undefined}), true);
    assert.equal(serves(specOf({args: ['--resource-selector=shard=a']}), {namespace: 'db', namespaceLabels: {}}), true);
  });
  it('is told people as it was given', () => {
    assert.equal(selectorsOf(specOf({args: ['--resource-selector=shard=a', '--namespace-selector=team=db']})), '--namespace-selector=team=db --resource-selector=shard=a');
    assert.equal(selectorsOf(specOf({})), '');
  });
});

describe('whether an operator carries a run out', () => {
  const carries = (run: Parameters<typeof runOf>[0], container: Partial<V1Container> = {args: ['--lease-name=shard-a']}) => carriesOut('ops', specOf(container), resourceOf({run: runOf(run)}));
  it('is told by the Lease that the run names, whatever labels the resource has by now', () => {
    assert.equal(carries({operator: 'ops/shard-a'}), true);
    assert.equal(carries({operator: 'ops/shard-b'}), false);
    assert.equal(carries({operator: 'ops/quorum-recovery-operator'}, {}), true);
  });
  it('is no question where no run is in flight, or none says who began it', () => {
    assert.equal(carries({operator: 'ops/shard-a', finishedAt: '2026-01-01T00:00:00Z'}), false);
    assert.equal(carries({}), false);
  });
});
