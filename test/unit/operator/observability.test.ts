import assert from 'node:assert/strict';
import {sleep, systemClock} from '../../../src/operator/clock.ts';
import {createLog} from '../../../src/operator/log.ts';
import {FakeClock, settle} from './fake-clock.ts';

function logged(write: (log: ReturnType<typeof createLog>) => void, level: 'info' | 'warn' = 'info') {
  const lines: string[] = [];
  write(createLog(level, '1.2.3', {write: (line) => lines.push(line)}));
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
}

describe('log', () => {
  it('writes one JSON line a decision, with the run that it belongs to', () => {
    const [line] = logged((log) => {
      log.child({namespace: 'db', name: 'etcd', run: 'r1', step: 'Force'}).info({pod: 'etcd-0'}, 'The survivor is started');
    });
    assert.ok(line);
    assert.match(String(line['time']), /^\d{4}-\d\d-\d\dT/);
    delete line['time'];
    assert.deepEqual(line, {
      level: 'info', version: '1.2.3', namespace: 'db', name: 'etcd', run: 'r1', step: 'Force', pod: 'etcd-0', message: 'The survivor is started',
    });
  });

  it('keeps secrets out, at any of the first three levels', () => {
    const [line] = logged((log) => {
      log.info({password: 'p', auth: {password: 'p', user: 'root'}, request: {headers: {authorization: 'Bearer x'}}, tls: {'tls.key': 'k'}}, 'm');
    });
    assert.ok(line);
    assert.deepEqual([line['password'], line['auth'], line['request'], line['tls']], [
      '[redacted]', {password: '[redacted]', user: 'root'}, {headers: {authorization: '[redacted]'}}, {'tls.key': '[redacted]'},
    ]);
  });

  it('writes errors with their message and cause, and nothing below its level', () => {
    const lines = logged((log) => {
      log.info('too low');
      log.warn({error: new Error('above', {cause: new Error('below')})}, 'm');
    }, 'warn');
    assert.equal(lines.length, 1);
    assert.match((lines[0]?.['error'] as {message: string}).message, /above.*below/);
  });
});

describe('sleep', () => {
  it('ends with its time, or as soon as it is told to', async () => {
    const clock = new FakeClock();
    const ended: string[] = [];
    const abort = new AbortController();
    void sleep(clock, 1_000).then(() => ended.push('time'));
    void sleep(clock, 1_000_000, abort.signal).then(() => ended.push('abort'));
    void sleep(clock, 1_000_000, AbortSignal.abort()).then(() => ended.push('at once'));
    await settle();
    assert.deepEqual(ended, ['at once']);
    await clock.advance(1_000);
    abort.abort();
    await settle();
    assert.deepEqual(ended, ['at once', 'time', 'abort']);
    assert.equal(clock.timers, 0);
  });

  it('has a real clock, too', async () => {
    const before = systemClock.monotonic();
    await sleep(systemClock, 1);
    assert.ok(systemClock.monotonic() > before);
    systemClock.setTimeout(() => assert.fail('cancelled'), 0)();
    assert.ok(Math.abs(systemClock.now() - Date.now()) < 1_000);
  });
});
