import assert from 'node:assert/strict';
import type {V1Pod} from '@kubernetes/client-node';
import type {QuorumRecoveryStatus} from '../../../src/api/types.ts';
import {keptBy, prune} from '../../../src/decide/kept.ts';
import type {Observation} from '../../../src/observe/observation.ts';
import {answers, now, observationOf, runOf} from './observations.ts';

const at = (ms: number) => new Date(now + ms).toISOString();
const kept = (pod: string, more: object = {}) => ({run: 'run-0', pod, claimUID: `claim-uid-${pod.slice(-1)}`, until: at(-1), ...more});
const whole = (status: QuorumRecoveryStatus, pruners: V1Pod[] = []): Observation =>
  observationOf({ordinals: [0, 1, 2].map((index) => ({probe: answers(index, 3, {leader: 'a0'})})), status, more: {pruners}});

function pruner(pod: string, report?: object): V1Pod {
  const ended = report === undefined ? {} : {state: {terminated: {exitCode: 0, message: JSON.stringify(report)}}};
  return {
    metadata: {name: `${pod}-prune-0`, annotations: {'quorumrecovery.io/run': 'run-0', 'quorumrecovery.io/step': 'Prune', 'quorumrecovery.io/pod': pod}},
    status: {containerStatuses: [{name: 'volume-agent', image: '', imageID: '', ready: false, restartCount: 0, ...ended}]},
  };
}
const left = (observation: Observation): string[] => {
  const draft = structuredClone(observation.status);
  for (const record of prune(observation).records) record(draft);
  return (draft.kept ?? []).map(({pod, until}) => `${pod} ${Date.parse(until) > now ? 'later' : 'due'}`);
};

describe('what runs keep on volumes', () => {
  it('is recorded with its volume and its time, for a run that forced something', () => {
    const run = runOf({force: {attempt: 1, pod: 'f', podUID: 'u'}});
    const found = keptBy(observationOf({status: {run}, spec: {preserve: {retention: '48h'}}}));
    assert.deepEqual(found.map(({pod, claimUID, until}) => [pod, claimUID, until]), [0, 1, 2].map((index) => [`etcd-${index}`, `claim-uid-${index}`, at(48 * 3_600_000)]));
    assert.deepEqual(keptBy(observationOf({status: {run: runOf()}})), []);
    // The same run, ended once more: its time begins anew, and it is there once.
    const again = keptBy(observationOf({status: {run, kept: [...found, kept('etcd-0')]}, spec: {preserve: {retention: '96h'}}}));
    assert.deepEqual(again.map(({run: of, pod, until}) => [of, pod, until]), [['run-0', 'etcd-0', at(-1)], ...[0, 1, 2].map((index) => ['run-1', `etcd-${index}`, at(96 * 3_600_000)])]);
  });
  it('stays until its time is over', () => {
    const {actions, records} = prune(whole({kept: [kept('etcd-0', {until: at(1_000)})]}));
    assert.deepEqual([actions, records], [[], []]);
  });
  it('then goes, by an agent beside the pod on its node, one run a volume at a time', () => {
    const {actions} = prune(whole({kept: [kept('etcd-0'), kept('etcd-0', {run: 'run-1'}), kept('etcd-1')]}));
    assert.deepEqual(actions.map((action) => (action.type === 'CreatePod' ? [action.pod.metadata?.annotations?.['quorumrecovery.io/run'], action.pod.spec?.nodeSelector, action.pod.spec?.containers[0]?.args?.[0]] : action.type)), [
      ['run-0', {'kubernetes.io/hostname': 'node-0'}, 'prune'], ['run-0', {'kubernetes.io/hostname': 'node-1'}, 'prune'],
    ]);
  });
  it('is not looked for on a volume that was made anew, nor where there is no such pod', () => {
    assert.deepEqual(left(whole({kept: [kept('etcd-0', {claimUID: 'older'}), kept('etcd-7')]})), []);
  });
  it('waits for a member that does not answer', () => {
    const {actions} = prune(observationOf({status: {kept: [kept('etcd-0')]}}));
    assert.deepEqual(actions, []);
  });
  it('is forgotten once the agent has taken it away, and the agent goes', () => {
    const observation = whole({kept: [kept('etcd-0')]}, [pruner('etcd-0', {ok: true, command: 'prune'})]);
    assert.deepEqual(prune(observation).actions.map(({type}) => type), ['DeletePod']);
    assert.deepEqual(left(observation), []);
  });
  it('is tried again later where the agent could not, and that is said', () => {
    const observation = whole({kept: [kept('etcd-0')]}, [pruner('etcd-0', {ok: false, command: 'prune', reason: 'Guarded', message: 'the guard is its own'})]);
    assert.match(prune(observation).problems[0] ?? '', /run-0.*etcd-0.*Guarded.*the guard is its own/);
    assert.deepEqual(left(observation), ['etcd-0 later']);
  });
  it('is not begun twice', () => {
    assert.deepEqual(prune(whole({kept: [kept('etcd-0')]}, [pruner('etcd-0')])), {actions: [], records: [], problems: []});
  });
});
