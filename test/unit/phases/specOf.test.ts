import assert from 'node:assert/strict';
import {specSchema} from '../../../src/api/spec.ts';
import type {QuorumRecovery} from '../../../src/api/types.ts';
import {apiVersion, kind} from '../../../src/api/types.ts';
import {interrupted} from '../../../src/decide/interrupt.ts';
import {specOf} from '../../../src/phases/specOf.ts';
import {now, observationOf, planOf, runOf} from '../decide/observations.ts';

const good = specSchema.parse({target: {statefulSet: 'etcd'}, verification: {timeout: '7m'}});
const bad = {target: {statefulSet: 'etcd'}, approval: 'Sometimes'} as unknown as QuorumRecovery['spec'];
const resource = (more: Partial<QuorumRecovery>, deleted = false): QuorumRecovery =>
  ({apiVersion, kind, metadata: {name: 'etcd', namespace: 'db', ...(deleted && {deletionTimestamp: new Date(now)})}, spec: bad, ...more});
const inFlight = {run: runOf({plan: planOf(), spec: JSON.stringify(good)})};

describe('the spec that is used', () => {
  it('is the resource\'s own while it is a good one', () => {
    const used = specOf(resource({spec: good, status: inFlight}));
    assert.deepEqual([used.spec?.target.statefulSet, used.problem], ['etcd', undefined]);
  });
  it('is none when it is invalid and nothing is in flight', () => {
    for (const status of [{}, {run: runOf()}, {run: {...inFlight.run, finishedAt: new Date(now).toISOString()}}]) {
      const used = specOf(resource({status}));
      assert.equal(used.spec, undefined);
      assert.match(used.problem, /^spec.approval/);
    }
  });
  it('is the one that the run used last when it becomes invalid in the middle of it', () => {
    const used = specOf(resource({status: inFlight}));
    assert.equal(used.spec?.verification.timeout, '7m');
    assert.match(used.problem ?? '', /^spec.approval/);
  });
  it('is enough to let things go when the resource is deleted, whatever stands in it', () => {
    assert.equal(specOf(resource({}, true)).spec?.target.statefulSet, 'etcd');
    assert.notEqual(specOf(resource({spec: {} as never}, true)).spec, undefined);
    assert.equal(specOf(resource({status: {run: runOf({plan: planOf(), spec: 'no JSON'})}}, true)).spec?.target.statefulSet, 'etcd');
  });
  it('that became invalid ends the run before the force, and is said after it', () => {
    const of = (run: object) => interrupted(observationOf({status: {run: runOf({plan: planOf(), ...run})}, more: {specProblem: 'spec.approval: no'}}));
    const ends = of({});
    assert.equal(ends && 'ends' in ends && ends.ends.reason, 'SpecChanged');
    const goesOn = of({force: {attempt: 1, pod: 'f', turnGiven: true}});
    assert.match((goesOn && 'goesOn' in goesOn && goesOn.goesOn) || '', /spec.approval: no.*finished first, with the spec as it was/);
  });
});
