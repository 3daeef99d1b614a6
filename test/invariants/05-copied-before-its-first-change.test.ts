import assert from 'node:assert/strict';
import {existsSync} from 'node:fs';
import {join} from 'node:path';
import {keptBy, prune} from '../../src/decide/kept.ts';
import {replaceClaims} from '../../src/decide/steps/joinClaims.ts';
import {plan} from '../../src/decide/steps/plan.ts';
import {etcdWould, fill, flagsOf, killAt, layouts, refuse, removeVolumes, snapshotOf, succeed} from '../unit/agent/volumes.ts';
import type {Volume} from '../unit/agent/volumes.ts';
import {answers, idOf, node, now, observationOf} from '../unit/decide/observations.ts';
import type {ObservationOptions} from '../unit/decide/observations.ts';
import {actionOf, forcedPod, held, planned, ready, serving, told} from './fixtures.ts';

const dataOf = (volume: Volume) => ({member: snapshotOf(join(volume.data, 'member')), ...(volume.wal !== undefined && {wal: snapshotOf(volume.wal)})});
const forceFlags = (volume: Volume) => [...flagsOf(volume, 'prepare-force'), '--attempt', '1', '--pod', 'p', '--copy'];
const copyPath = ({root}: Volume) => join(root, '.quorumrecovery', 'r1', 'copy');

describe('5. The survivor\'s data is copied before its first change (unless preserve.mode: Skip); no data directory is deleted before its retention ends', () => {
  afterEach(removeVolumes);

  it('the agent of the forced start is told to copy, and only preserve.mode: Skip leaves it out', () => {
    const copies = (spec: object) => forcedPod(ready(planned(), {spec})).spec?.initContainers?.[0]?.args?.includes('--copy');
    assert.deepEqual([copies({}), copies({preserve: {mode: 'Copy'}}), copies({preserve: {mode: 'Skip'}})], [true, true, false]);
  });

  for (const layout of layouts) {
    it(`wherever it is killed, data that has changed has a whole copy of what was there before, which a repeat leaves alone (${layout.name})`, () => {
      let changed = 0;
      for (let step = 0; ; step += 1) {
        const volume = layout.make();
        fill(volume);
        const before = dataOf(volume);
        const over = killAt(step, ...forceFlags(volume)) !== undefined;
        if (JSON.stringify(dataOf(volume)) !== JSON.stringify(before)) {
          changed += 1;
          assert.deepEqual(snapshotOf(join(copyPath(volume), 'member', 'snap')), snapshotOf(join(volume.data, 'member', 'snap')));
          const copied = snapshotOf(copyPath(volume));
          const wal = Object.entries(volume.wal === undefined ? before.member : before.wal ?? {}).filter(([name]) => name.endsWith('.wal'));
          assert.ok(wal.length > 0 && wal.every(([, content]) => Object.values(copied).includes(content)), `step ${step}: the log as it was is in no copy`);
          succeed(...forceFlags(volume));
          assert.deepEqual(snapshotOf(copyPath(volume)), copied, 'the copy is of the first moment');
        }
        if (over) break;
      }
      assert.ok(changed > 0, 'the tail is committed: there is something to lose');
    });
  }

  it('data that is set aside is moved, not deleted, and stays when a member joins in its place', () => {
    for (const layout of layouts) {
      const volume = layout.make();
      fill(volume);
      const before = Object.values(dataOf(volume)).flatMap((files) => Object.values(files)).sort();
      succeed(...flagsOf(volume, 'set-aside'));
      succeed(...flagsOf(volume, 'prepare-join'), '--member', 'b1');
      const after = [volume.root, ...(volume.walRoot === undefined ? [] : [volume.walRoot])].flatMap((path) => Object.values(snapshotOf(path)));
      for (const content of before) assert.ok(after.includes(content), layout.name);
    }
  });

  it('the agent removes nothing that is the only data of its volume, or that an unfinished command needs', () => {
    const volume = layouts[0]?.make() ?? assert.fail();
    fill(volume);
    succeed(...flagsOf(volume, 'set-aside'));
    assert.equal(refuse(...flagsOf(volume, 'prune')).reason, 'Guarded');
    succeed(...flagsOf(volume, 'prepare-join'), '--member', 'b1');
    assert.equal(etcdWould(volume), 'form a new cluster', 'it is empty now');
    assert.equal(refuse(...flagsOf(volume, 'prune')).reason, 'NoData');
    assert.ok(existsSync(join(volume.root, '.quorumrecovery', 'r1', 'set-aside', 'member')));
  });

  it('the volume of a lost node is kept before its claim is deleted', () => {
    const options = serving({ordinals: [{probe: answers(0, 1, {leader: idOf(0)})}, held(1), held(2)], nodes: [node('node-0')]}, {joins: [{pod: 'etcd-1', attempt: 1, replacedClaims: ['claim-uid-1']}]});
    const observation = observationOf(options);
    const view = observation.ordinals[1] ?? assert.fail();
    assert.equal(told(replaceClaims(observation, view)), 'RetainVolume');
    const volume = {metadata: {name: 'pv-1'}, spec: {persistentVolumeReclaimPolicy: 'Retain'}};
    const [claim] = view.claims;
    assert.equal(told(replaceClaims(observation, {...view, claims: [{...claim ?? assert.fail(), volume}]})), 'DeleteClaim');
  });

  const kept = (until: number) => [{run: 'run-0', pod: 'etcd-0', claimUID: 'claim-uid-0', until: new Date(until).toISOString()}];
  const quiet = (until: number): ObservationOptions => ({ordinals: [0, 1, 2].map((index) => ({probe: answers(index, 3, {leader: 'a0'})})), status: {kept: kept(until)}});

  it('what a run kept goes when its retention has ended, and not before', () => {
    const acts = (until: number) => prune(observationOf(quiet(until))).actions.map(({type}) => type);
    assert.deepEqual(acts(now + 1), []);
    assert.deepEqual(acts(now - 1), ['CreatePod']);
  });

  it('a run keeps what it left for the retention of the spec, counted from its end', () => {
    const over = serving({spec: {preserve: {retention: '2h'}}});
    const until = keptBy(observationOf(over)).map((one) => Date.parse(one.until) - now);
    assert.deepEqual(until, [7_200_000, 7_200_000, 7_200_000]);
  });

  it('a run stops what takes data away before anything else', () => {
    const pruner = {metadata: {name: 'etcd-0-prune', namespace: 'db', uid: 'p'}};
    const decision = plan(observationOf({...quiet(now - 1), status: {run: planned()}, more: {pruners: [pruner]}}));
    assert.equal(actionOf(decision, 'DeletePod').pod.metadata?.name, 'etcd-0-prune');
  });
});
