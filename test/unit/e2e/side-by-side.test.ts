import assert from 'node:assert/strict';
import {sideBySide} from '../../e2e/side-by-side.ts';
import type {Room} from '../../e2e/side-by-side.ts';

interface Task {
  name: string;
  weight: number;
}

/** What ran together, each time that something began; ends are given in the order of beginnings. */
async function together(room: Room, weights: readonly number[]): Promise<string[]> {
  const running = new Map<string, () => void>();
  const seen: string[] = [];
  const tasks = weights.map((weight, index): Task => ({name: `${'abcdefgh'[index] ?? '?'}${weight}`, weight}));
  const all = sideBySide(tasks, room, async ({name}) => {
    await new Promise<void>((end) => {
      running.set(name, end);
      seen.push([...running.keys()].join(' '));
    });
  });
  // Until an end is known and another has begun.
  const settled = async (): Promise<void> => { for (let turn = 0; turn < 10; turn += 1) await Promise.resolve(); };
  await settled();
  while (seen.length < tasks.length || running.size > 0) {
    const [first] = running;
    assert.ok(first);
    running.delete(first[0]);
    first[1]();
    await settled();
  }
  await all;
  return seen;
}

describe('sideBySide', () => {
  it('runs as many at the same time as their weights allow', async () => {
    assert.deepEqual(await together({width: 3}, [1, 1, 1, 1]), ['a1', 'a1 b1', 'a1 b1 c1', 'b1 c1 d1']);
  });

  it('begins a light one beside a heavy one, and the next heavy one as soon as the first ends', async () => {
    assert.deepEqual(await together({width: 3}, [2, 2, 1, 1]), ['a2', 'a2 c1', 'c1 b2', 'b2 d1']);
  });

  it('runs by itself what is heavier than the whole width', async () => {
    assert.deepEqual(await together({width: 2}, [9, 1, 1]), ['a9', 'b1', 'b1 c1']);
  });

  it('begins another one when there is more room', async () => {
    const widths = [2];
    assert.deepEqual(await together({width: 1, next: async () => await (widths.length > 0 ? Promise.resolve(widths.shift() ?? 0) : new Promise<never>(() => undefined))}, [1, 1, 1]), ['a1', 'a1 b1', 'b1 c1']);
  });

  it('fails when one of them throws', async () => {
    await assert.rejects(sideBySide([{weight: 1}], {width: 1}, () => Promise.reject(new Error('broken'))), /broken/);
  });
});
