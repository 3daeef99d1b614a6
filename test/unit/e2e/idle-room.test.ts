import assert from 'node:assert/strict';
import {idleRoom} from '../../e2e/idle-room.ts';

/** The widths after each look, where the processors were idle for such a part of the time and so much was taken. */
async function widths(looks: readonly {idle: number; taken: number}[]): Promise<number[]> {
  let now = {idle: 0, total: 0};
  let look = 0;
  const room = idleRoom(3, 2, () => now, () => {
    now = {idle: now.idle + 100 * (looks[look]?.idle ?? 0), total: now.total + 100};
    look += 1;
    return Promise.resolve();
  });
  const seen: number[] = [];
  for (const {taken} of looks) seen.push(await room.next?.(taken) ?? 0);
  return seen;
}

describe('idleRoom', () => {
  it('grows by one at a time while the processors are idle, and not beyond what it may', async () => {
    assert.deepEqual(await widths([{idle: 0.6, taken: 3}, {idle: 0.6, taken: 4}, {idle: 0.6, taken: 5}]), [4, 5, 5]);
  });

  it('shrinks again while they are busy, and not below its width', async () => {
    assert.deepEqual(await widths([{idle: 0.6, taken: 3}, {idle: 0.2, taken: 4}, {idle: 0, taken: 4}, {idle: 0, taken: 3}]), [4, 4, 3, 3]);
  });

  it('does not grow while what is there is not taken', async () => {
    assert.deepEqual(await widths([{idle: 0.9, taken: 1}]), [3]);
  });
});
