import assert from 'node:assert/strict';
import {stepNames} from '../../../src/decide/next.ts';
import {createMetrics} from '../../../src/operator/metrics.ts';
import {read} from '../generate/repository.ts';

/** Which of these no table of the page has a row for. */
const missing = (page: string, names: readonly string[]): string[] => {
  const listed = [...read(page).matchAll(/^\|([^|]*)\|/gm)].flatMap(([, cell = '']) => [...cell.matchAll(/`([A-Za-z_]+)[`{]/g)].map(([, name = '']) => name));
  return names.filter((name) => !listed.includes(name));
};

describe('docs/reference', () => {
  it('has an event for every step that ends, but for the plan, which has one of its own', () => {
    assert.deepEqual(missing('docs/reference/events.md', [...stepNames.filter((name) => name !== 'Plan'), 'Join'].map((name) => `${name}Done`)), []);
  });

  it('has every other event that is named where events are made', () => {
    const source = ['reporter', 'dependentEvents'].map((file) => read(`src/phases/${file}.ts`)).join('\n');
    const made = [/'(?:Normal|Warning)', (?:reason: )?'([A-Z]\w+)'/g, /#once\(.*?, '([A-Z]\w+)', /g].flatMap((pattern) => [...source.matchAll(pattern)].map(([, name = '']) => name));
    assert.ok(made.length > 10, made.join());
    assert.deepEqual(missing('docs/reference/events.md', made), []);
  });

  it('has every metric that is the operator\'s own', async () => {
    const names = (await createMetrics('1.2.3').registry.getMetricsAsJSON()).map(({name}) => name).filter((name) => name.startsWith('quorumrecovery_'));
    assert.ok(names.length > 20, names.join());
    assert.deepEqual(names.filter((name) => !read('docs/reference/metrics.md').includes(name)), []);
  });
});
