import assert from 'node:assert/strict';
import fc from 'fast-check';
import {CalmSimulation} from './calm.ts';
import type {Blow, CalmEnding, CalmSchedule} from './calm.ts';
import type {When} from './operators.ts';

/** With `SCHEDULES=n` so many are tried; a tenth of them, as each goes on for six minutes. */
const schedules = Math.max(20, Math.round(Number(process.env['SCHEDULES'] ?? 10_000) / 10));
const seed = Number(process.env['SEED'] ?? 1);

const well: CalmSchedule = {seed: 1, blows: [], kills: [], deaf: 0};
const run = async (schedule: Partial<CalmSchedule>): Promise<CalmEnding> => await new CalmSimulation({...well, ...schedule}).run();
const cut = (at: number, ...ordinals: number[]): CalmSchedule['blows'] => ordinals.map((ordinal) => ({at, ordinal, blow: 'PowerCut' as const}));

/** In steps of a second: three for the kernel or etcd, two for what follows, and one that the last look takes. */
const pushedMs = 10_000;
/** Where no end of a watch is heard of: until the next ask of a member that is gone or has no leader, or the event of a node. */
const unheardMs = 100_000;

const blow = fc.record({
  at: fc.integer({min: 0, max: 240_000}), ordinal: fc.integer({min: 0, max: 2}),
  blow: fc.oneof({weight: 3, arbitrary: fc.constant<Blow>('Crash')}, {weight: 3, arbitrary: fc.constant<Blow>('PowerCut')}, {weight: 2, arbitrary: fc.constant<Blow>('CutOff')},
    {weight: 2, arbitrary: fc.constant<Blow>('OperatorEnds')}),
});
const when = fc.constantFrom<When>('before', 'after', 'late', 'refused', 'unheard', 'deposed');
const schedule: fc.Arbitrary<CalmSchedule> = fc.record({
  seed: fc.nat(1_000_000), blows: fc.array(blow, {maxLength: 5}), kills: fc.uniqueArray(fc.tuple(fc.nat(12), when), {selector: ([at]) => at, maxLength: 3}),
  deaf: fc.constantFrom(0, 0, 0.5, 1), preferredLeader: fc.constantFrom('etcd-0', 'etcd-1', 'etcd-2'), backups: fc.boolean(),
}, {requiredKeys: ['seed', 'blows', 'kills', 'deaf']});

describe('a standing resource of a cluster that is calm', () => {
  it('is asked one member in turn, and is hardly ever looked at in full', async () => {
    const {asks, looks, suspectedMs} = await run({});
    assert.equal(suspectedMs, undefined);
    assert.ok(asks >= 10 && looks <= 4, `${asks} asks and ${looks} full looks in six minutes`);
  });
  it('comes to rest with the leader that is preferred, and moves leadership back when it goes elsewhere', async () => {
    for (let draw = 1; draw <= 10; draw += 1) {
      await run({seed: draw, preferredLeader: 'etcd-1'});
      await run({seed: draw, preferredLeader: 'etcd-1', blows: [{at: 20_000, blow: 'Crash', ordinal: 1}]});
    }
  });
  it('is backed up each minute, also where the operator is killed around any write, and is calm all the same', async function backups() {
    this.timeout(120_000);
    for (let draw = 1; draw <= 4; draw += 1) assert.equal((await run({seed: draw, backups: true})).suspectedMs, undefined);
    for (const trouble of ['before', 'after', 'late', 'refused', 'unheard', 'deposed'] as const) {
      for (let at = 0; at < 8; at += 1) await run({backups: true, kills: [[at, trouble]]});
    }
  });
  for (const ordinals of [[0, 1], [0, 2], [1, 2]]) {
    it(`suspects a loss that comes without a word within seconds: members ${ordinals.join(' and ')}`, async () => {
      for (let draw = 1; draw <= 10; draw += 1) {
        const {suspectedMs = 0} = await run({seed: draw, blows: cut(100_000, ...ordinals)});
        assert.ok(suspectedMs > 0 && suspectedMs <= pushedMs, `seed ${draw}: ${suspectedMs} ms`);
      }
    });
    it(`suspects it too where the end of the watch is never heard of: members ${ordinals.join(' and ')}`, async () => {
      for (let draw = 1; draw <= 10; draw += 1) {
        const {suspectedMs = 0} = await run({seed: draw, deaf: 1, blows: cut(100_000, ...ordinals)});
        assert.ok(suspectedMs > 0 && suspectedMs <= unheardMs, `seed ${draw}: ${suspectedMs} ms`);
      }
    });
  }
  it('is calm again after the operator was killed around any of its writes', async function everyWrite() {
    this.timeout(60_000);
    for (const trouble of ['before', 'after', 'late', 'refused', 'unheard', 'deposed'] as const) {
      for (let at = 0; at < 6; at += 1) assert.equal((await run({kills: [[at, trouble]]})).suspectedMs, undefined);
    }
  });
  it(`suspects every loss, whatever else happens (${schedules} schedules, SEED=${seed})`, async function anything() {
    this.timeout(0);
    await fc.assert(fc.asyncProperty(schedule, async (drawn) => {
      const {suspectedMs} = await run(drawn);
      // The last blow may come so late that nothing need have been seen.
      const inTime = drawn.blows.filter(({blow: of}) => of === 'PowerCut').every(({at}) => at <= 240_000);
      assert.ok(suspectedMs === undefined || (inTime && suspectedMs <= unheardMs), `suspected after ${suspectedMs ?? 0} ms`);
    }), {seed, numRuns: schedules});
  });
});
