import assert from 'node:assert/strict';
import {growth} from '../../soak/operator-watch.ts';
import type {Held} from '../../soak/operator-watch.ts';

/** One look after each step, in which four pods were made anew. */
const looks = (count: number, of: (step: number) => Partial<Held> = () => ({})): Held[] =>
  Array.from({length: count + 1}, (_, step) => ({process: 'op-1 100', step, recoveries: 2 + step, pods: step * 4, rssMiB: 120, heapMiB: 50, sockets: 20, timers: 10, watches: 6, ...of(step)}));

const tooMuch = (held: Held[]): string[] | undefined => growth(held)?.grown.filter(({late, most}) => late > most).map(({what}) => what);

describe('what the soaked operator holds', () => {
  it('may move, and must not grow with the pods that were made anew', () => {
    assert.deepEqual(tooMuch(looks(20)), []);
    assert.deepEqual(tooMuch(looks(20, (step) => ({sockets: 20 + step % 5, rssMiB: 120 + step % 30}))), []);
    assert.deepEqual(tooMuch(looks(20, (step) => ({sockets: 20 + 4 * step}))), ['sockets']);
    assert.deepEqual(tooMuch(looks(20, (step) => ({timers: 10 + 2 * step}))), ['timers']);
    assert.deepEqual(tooMuch(looks(20, (step) => ({heapMiB: 50 + 2 * step}))), ['heapMiB']);
    assert.deepEqual(tooMuch(looks(20, (step) => ({watches: 6 + 2 * step, rssMiB: 120 + 4 * step}))), ['watches', 'rssMiB']);
  });

  it('counts from the first recovery on, which brings in what stays', () => {
    const before = looks(5, () => ({recoveries: 2, rssMiB: 80}));
    assert.deepEqual(tooMuch([...before, ...looks(7, (step) => ({recoveries: 3 + step}))]), []);
    assert.equal(growth(looks(20, () => ({recoveries: 2}))), undefined);
  });

  it('is that of the process that leads at the end', () => {
    const [before, after] = [looks(10, () => ({process: 'op-0 1', sockets: 2})), looks(8)];
    assert.deepEqual(tooMuch([...before, ...after]), []);
    assert.equal(growth([...before, ...after])?.steps, 7);
  });

  it('cannot be told of a process that has led for a few steps only', () => {
    assert.equal(growth(looks(5)), undefined);
    assert.equal(growth([]), undefined);
  });
});
