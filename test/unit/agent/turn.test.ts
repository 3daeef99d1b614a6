import assert from 'node:assert/strict';
import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {awaitTurn} from '../../../src/agent/turn.ts';

describe('the turn of a joiner', () => {
  let directory = '';
  before(() => { directory = mkdtempSync(join(tmpdir(), 'turn-')); });
  after(() => { rmSync(directory, {recursive: true}); });
  const argv = (path: string) => ['prepare-join', '--turn', path, '--run', 'run-1'];

  it('goes on as the member that the file names', async () => {
    const path = join(directory, 'given');
    writeFileSync(path, '8e9e05c52164694d\n');
    assert.deepEqual(await awaitTurn(argv(path)), ['prepare-join', '--run', 'run-1', '--member', '8e9e05c52164694d']);
  });
  it('waits while the file is missing, empty, or names no member ID', async () => {
    const path = join(directory, 'late');
    let looks = 0;
    const waiting = awaitTurn(argv(path), {everyMs: 1, onLook: () => {
      looks += 1;
      if (looks === 2) writeFileSync(path, '');
      if (looks === 3) writeFileSync(path, 'no member');
      if (looks === 4) writeFileSync(path, 'b1');
    }});
    assert.deepEqual((await waiting).slice(-2), ['--member', 'b1']);
    assert.ok(looks >= 4);
  });
  it('lets a forced start go on only in the attempt that it was made for', async () => {
    const path = join(directory, 'force');
    writeFileSync(path, '1');
    let looks = 0;
    const words = ['prepare-force', '--attempt', '2', '--turn', path, '--run', 'run-1'];
    const onLook = () => { looks += 1; if (looks === 3) writeFileSync(path, '2'); };
    assert.deepEqual(await awaitTurn(words, {everyMs: 1, onLook}), ['prepare-force', '--attempt', '2', '--run', 'run-1']);
    assert.equal(looks, 3);
  });
  it('leaves every other command line as it is', async () => {
    for (const words of [['inspect', '--turn', '/x'], ['prepare-join', '--member', 'b1'], ['prepare-join', '--turn'], []]) assert.deepEqual(await awaitTurn(words), words);
  });
});
