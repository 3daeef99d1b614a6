import assert from 'node:assert/strict';
import {join} from 'node:path';
import {mkdirSync, writeFileSync} from 'node:fs';
import {killAt, newVolume, refuse, removeVolumes, succeed} from './volumes.ts';

describe('agent spend and seal', () => {
  afterEach(removeVolumes);

  const spend = (root: string, attempt: number, pod: string): string[] =>
    ['spend', '--root', root, '--run', 'r1', '--attempt', String(attempt), '--pod', pod];

  it('spends an attempt for one pod, again for the same pod, never for another', () => {
    const root = newVolume();
    assert.deepEqual(succeed(...spend(root, 1, 'pod-a')), {ok: true, command: 'spend', run: 'r1', attempt: 1, pod: 'pod-a', already: false});
    assert.deepEqual(succeed(...spend(root, 1, 'pod-a')), {ok: true, command: 'spend', run: 'r1', attempt: 1, pod: 'pod-a', already: true});
    const failure = refuse(...spend(root, 1, 'pod-b'));
    assert.equal(failure.reason, 'MarkerSpent');
    assert.match(failure.message, /pod pod-a/);
  });

  it('refuses an attempt after a later one, and goes on to later ones', () => {
    const root = newVolume();
    succeed(...spend(root, 1, 'pod-a'));
    succeed(...spend(root, 10, 'pod-b'));
    assert.equal(refuse(...spend(root, 9, 'pod-c')).reason, 'AttemptSuperseded');
    assert.equal(refuse(...spend(root, 1, 'pod-a')).reason, 'AttemptSuperseded');
    assert.equal(succeed(...spend(root, 11, 'pod-d')).ok, true);
  });

  it('refuses everything once the run is sealed, also the pod that had spent its attempt, but not another run', () => {
    const root = newVolume();
    succeed(...spend(root, 1, 'pod-a'));
    assert.deepEqual(succeed('seal', '--root', root, '--run', 'r1'), {ok: true, command: 'seal', run: 'r1', already: false});
    assert.deepEqual(succeed('seal', '--root', root, '--run', 'r1'), {ok: true, command: 'seal', run: 'r1', already: true});
    assert.equal(refuse(...spend(root, 1, 'pod-a')).reason, 'RunSealed');
    assert.equal(refuse(...spend(root, 2, 'pod-b')).reason, 'RunSealed');
    assert.equal(succeed('spend', '--root', root, '--run', 'r2', '--attempt', '1', '--pod', 'pod-b').ok, true);
  });

  it('takes a marker that it cannot read as somebody else\'s', () => {
    const root = newVolume();
    mkdirSync(join(root, '.quorumrecovery', 'r1'), {recursive: true});
    writeFileSync(join(root, '.quorumrecovery', 'r1', 'force-1'), '');
    assert.equal(refuse(...spend(root, 1, 'pod-a')).reason, 'MarkerSpent');
  });

  it('can be killed anywhere: the same pod gets it afterwards, and no second pod ever does', () => {
    for (let step = 0; ; step++) {
      const root = newVolume();
      const done = killAt(step, ...spend(root, 1, 'pod-a'));
      succeed(...spend(root, 1, 'pod-a'));
      assert.equal(refuse(...spend(root, 1, 'pod-b')).reason, 'MarkerSpent');
      if (done !== undefined) {
        assert.ok(step >= 4);
        return;
      }
    }
  });
});
