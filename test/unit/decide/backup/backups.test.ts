import assert from 'node:assert/strict';
import type {V1Pod} from '@kubernetes/client-node';
import type {AgentReport} from '../../../../src/agent/report.ts';
import type {Backups, QuorumRecoveryStatus} from '../../../../src/api/types.ts';
import {settleBackups} from '../../../../src/decide/backup/backups.ts';
import {sayBackups} from '../../../../src/decide/backup/backupWords.ts';
import type {Action} from '../../../../src/decide/decision.ts';
import type {Observation} from '../../../../src/observe/observation.ts';
import {answers, idOf, now, observationOf, ownPodOf, runOf, silent} from '../observations.ts';
import type {ObservationOptions, OrdinalOptions} from '../observations.ts';

const at = (ms: number): string => new Date(now + ms).toISOString();
const minute = 60_000;

const readyPod = (index: number): V1Pod => {
  const pod = ownPodOf(index);
  pod.status = {...pod.status, conditions: [{type: 'Ready', status: 'True'}]};
  return pod;
};

/** etcd-0 leads; what is not said of the others is as it is of it. */
const member = (index: number, more: Parameters<typeof answers>[2] = {}): OrdinalOptions => ({object: readyPod(index), probe: answers(index, 3, {leader: idOf(0), ...more})});

const spec = {snapshot: {claim: {name: 'backups'}}, backups: {interval: '1h', keepLast: 5, keepFor: '24h'}};

/** Whose first snapshot is due, if nothing else is said. */
function clusterOf({ordinals = [member(0), member(1), member(2)], status = {}, more = {}, ...rest}: ObservationOptions = {}): Observation {
  return observationOf({ordinals, spec, status: {backups: {since: at(-60 * minute)}, ...status}, more: {linearizable: true, ...more}, ...rest});
}

const madeBy = (actions: readonly Action[]): V1Pod[] => actions.flatMap((action) => (action.type === 'CreatePod' ? [action.pod] : []));
const deletedBy = (actions: readonly Action[]): string[] => actions.flatMap((action) => (action.type === 'DeletePod' ? [action.pod.metadata?.name ?? ''] : []));
const conditionIn = ({conditions}: QuorumRecoveryStatus) => conditions?.find(({type}) => type === 'BackedUp');

const current: NonNullable<Backups['current']> = {
  name: 'db-etcd-20260101T000000Z.db', helper: 'etcd-backup-20260101t000000z', pod: 'etcd-1', memberID: idOf(1), clusterID: 'c1', version: '3.6.16', revision: 50, startedAt: at(-5_000),
};

function saver(report?: AgentReport, phase = 'Running'): V1Pod {
  return {
    metadata: {name: current.helper, namespace: 'db', uid: 'saver-uid'},
    status: {phase, ...(report && {containerStatuses: [{name: 'volume-agent', image: '', imageID: '', ready: false, restartCount: 0, state: {terminated: {exitCode: 0, message: JSON.stringify(report)}}}]})},
  };
}

const savedReport: AgentReport = {
  ok: true, command: 'store-save', run: 'b', removed: [], kept: 3, milliseconds: 1,
  snapshot: {name: current.name, takenAt: at(-4_000), bytes: 4128, recorded: true, sha256: 'ab', revision: 52, members: [idOf(1)], clusterID: 'c1'},
};
const failedReport: AgentReport = {ok: false, command: 'store-save', reason: 'StoreUnreachable', message: 'bucket b cannot be reached.'};

const lastOf = (more: Partial<NonNullable<Backups['last']>>): NonNullable<Backups['last']> =>
  ({name: 'old.db', pod: 'etcd-1', memberID: idOf(1), clusterID: 'c1', startedAt: at(0), finishedAt: at(0), saved: true, ...more});

describe('a backup', () => {
  it('is taken from a follower, and stands in the status with the name of its pod before that is made', () => {
    const observation = clusterOf();
    const {actions} = settleBackups(observation);
    const {current: intent} = observation.status.backups ?? {};
    assert.deepEqual([intent?.pod, intent?.memberID, intent?.clusterID, intent?.name, intent?.revision], ['etcd-1', idOf(1), 'c1', 'db-etcd-qr-uid-20260101T000000Z.db', 50]);
    const [pod, ...more] = madeBy(actions);
    assert.deepEqual([pod?.metadata?.name, more], [intent?.helper, []]);
    const args = pod?.spec?.containers[0]?.args?.join(' ') ?? '';
    assert.match(args, /^store-save .*--name db-etcd-qr-uid-20260101T000000Z\.db --cluster c1 --member a1 .*--owner qr-uid --at-least 50 --endpoint http:\/\/10\.0\.0\.1:2379 --keep-last 5 --keep-for 86400$/);
    // It mounts nothing of a member, and goes wherever the store can be reached.
    assert.deepEqual(pod?.spec?.volumes?.map(({name}) => name), ['quorumrecovery-scratch', 'quorumrecovery-store']);
    assert.deepEqual([pod.spec.nodeSelector, pod.spec.restartPolicy], [undefined, 'Never']);
    const [apart] = pod.spec.affinity?.podAntiAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? [];
    assert.deepEqual([apart?.podAffinityTerm.labelSelector, apart?.podAffinityTerm.topologyKey], [observation.set?.spec?.selector, 'kubernetes.io/hostname']);
    assert.equal(pod.spec.affinity?.nodeAffinity, undefined);
  });
  it('can break no fencing, though the policy lets it in during a run: it starts no etcd, mounts nothing that the template or a member has, and no Service selects it', () => {
    const observation = clusterOf();
    const template = observation.set?.spec?.template;
    assert.ok(template?.spec && observation.set?.spec?.volumeClaimTemplates?.length === 1);
    template.spec.volumes = [{name: 'host', hostPath: {path: '/var/lib/etcd'}}, {name: 'shared', persistentVolumeClaim: {claimName: 'shared'}}];
    for (const container of template.spec.containers) container.volumeMounts = [...container.volumeMounts ?? [], {name: 'host', mountPath: '/host'}, {name: 'shared', mountPath: '/shared'}];
    template.spec.initContainers = [{name: 'first', image: 'busybox'}];
    const [pod] = madeBy(settleBackups(observation).actions);
    assert.deepEqual(pod?.spec?.volumes?.map(({emptyDir, persistentVolumeClaim}) => persistentVolumeClaim?.claimName ?? (emptyDir ? 'scratch' : 'another')), ['scratch', 'backups']);
    assert.deepEqual(pod.spec.containers.map(({name, image, command}) => [name, image, command?.at(-1)]), [['volume-agent', observation.agentImage, '/app/dist/agent/main.js']]);
    assert.equal(pod.spec.initContainers, undefined);
    assert.ok(!observation.ordinals.some((view) => view.pod === pod.metadata?.name));
    const selected = Object.entries(observation.set.spec.selector.matchLabels ?? {});
    assert.ok(selected.length > 0 && selected.some(([label, value]) => pod.metadata?.labels?.[label] !== value));
    assert.deepEqual(pod.metadata?.ownerReferences?.map(({kind}) => kind), ['QuorumRecovery']);
  });
  it('asks for the room on its node that the database has, and is ended by the kubelet at twice that', () => {
    const [pod] = madeBy(settleBackups(clusterOf({ordinals: [member(0), member(1, {dbSizeBytes: 2 * 2 ** 30}), member(2)]})).actions);
    assert.deepEqual(pod?.spec?.containers[0]?.resources, {requests: {'ephemeral-storage': '2080Mi'}, limits: {'ephemeral-storage': '4160Mi'}});
    assert.deepEqual(pod.spec.volumes?.[0]?.emptyDir, {sizeLimit: '4160Mi'});
  });
  it('is taken from the follower that has applied the most', () => {
    const observation = clusterOf({ordinals: [member(0, {raftIndex: 120}), member(1, {raftAppliedIndex: 90}), member(2, {raftAppliedIndex: 118})]});
    settleBackups(observation);
    assert.equal(observation.status.backups?.current?.pod, 'etcd-2');
  });

  const unfit: [string, OrdinalOptions, Partial<QuorumRecoveryStatus>?][] = [
    ['is behind', member(1, {raftIndex: 1_000, raftAppliedIndex: 1_000})],
    ['raises an alarm', member(1, {errors: ['memberID:1 alarm:NOSPACE']})],
    ['is a learner', member(1, {isLearner: true})],
    ['has no leader', member(1, {leader: ''})],
    ['does not answer', {object: readyPod(1), probe: silent}],
    ['is about to end', {...member(1), object: {...readyPod(1), metadata: {...readyPod(1).metadata, deletionTimestamp: new Date(now)}}}],
    ['has something wrong with it', member(1), {findings: [{case: 'MemberSlow', pod: 'etcd-1', message: 'slow'}]}],
  ];
  for (const [title, follower, status = {}] of unfit) {
    it(`is not taken from a follower that ${title}`, () => {
      const ahead = {raftIndex: 2_500, raftAppliedIndex: 2_500};
      const leading = title === 'is behind' ? [member(0, ahead), follower, member(2, ahead)] : [member(0), follower, member(2)];
      const observation = clusterOf({ordinals: leading, status});
      settleBackups(observation);
      assert.equal(observation.status.backups?.current?.pod, 'etcd-2');
    });
  }
  it('is taken from the leader where no follower is fit for it', () => {
    const observation = clusterOf({ordinals: [member(0)]});
    const {why} = settleBackups(observation);
    assert.equal(observation.status.backups?.current?.pod, 'etcd-0');
    assert.match(why, /no follower is fit/);
  });

  const refusals: [string, Parameters<typeof clusterOf>[0], RegExp][] = [
    ['no quorum serves', {more: {linearizable: false}}, /no quorum serves/],
    ['a run is in flight', {status: {run: runOf()}}, /a run is in flight/],
    ['the data went back', {status: {regression: {since: at(0), message: 'back'}}}, /the data went back/],
    ['the resource is paused', {spec: {...spec, paused: true}}, /spec\.paused/],
    ['the store is on a member\'s volume', {spec: {...spec, snapshot: {claim: {name: 'data-etcd-1'}}}}, /claim data-etcd-1 of spec\.snapshot is a volume of etcd-1/],
    ['the store is on the volume of a member that is to come', {spec: {...spec, snapshot: {claim: {name: 'data-etcd-17', path: 'x'}}}}, /a volume of etcd-17/],
    ['another resource is for the same set', {more: {linearizable: true, duplicateOf: 'other'}}, /other is for the same StatefulSet/],
  ];
  for (const [title, options, words] of refusals) {
    it(`is not taken while ${title}, and that is said once it is stale`, () => {
      const observation = clusterOf({...options, status: {...options?.status, backups: {since: at(-3 * 60 * minute)}}});
      const {actions, inMs} = settleBackups(observation);
      assert.deepEqual([actions, observation.status.backups?.current], [[], undefined]);
      // A full look every few seconds would end nothing of it sooner.
      assert.equal(inMs, title === 'no quorum serves' ? 30_000 : undefined);
      const condition = conditionIn(observation.status);
      assert.deepEqual([condition?.status, condition?.reason], ['False', 'Stale']);
      assert.match(condition?.message ?? '', words);
    });
  }

  it('is taken when the interval has passed since the last one was begun, and not before', () => {
    const before = clusterOf({status: {backups: {since: at(0), last: lastOf({startedAt: at(-59 * minute)})}}});
    const early = settleBackups(before);
    assert.deepEqual([early.actions, early.inMs], [[], minute]);
    const due = clusterOf({status: {backups: {since: at(0), last: lastOf({startedAt: at(-60 * minute)})}}});
    assert.equal(madeBy(settleBackups(due).actions).length, 1);
  });
  it('is taken first at a moment of its own: within a tenth of the interval and ten minutes, the same whoever leads, and spread over all of that', () => {
    const firstOf = (uid: string, interval: string): {inMs: number; message: string} => {
      const observation = clusterOf({spec: {...spec, backups: {...spec.backups, interval}}, status: {backups: {since: at(0)}}});
      observation.resource.metadata.uid = uid;
      const {actions, inMs = 0} = settleBackups(observation);
      assert.deepEqual([actions, observation.status.backups?.current], [[], undefined]);
      return {inMs, message: conditionIn(observation.status)?.message ?? ''};
    };
    const uids = Array.from({length: 1_000}, (_, index) => `uid-${index}`);
    for (const [interval, most] of [['1h', 6 * minute], ['24h', 10 * minute]] as const) {
      const moments = uids.map((uid) => firstOf(uid, interval).inMs);
      assert.ok(Math.max(...moments) <= most && Math.max(...moments) > 0.9 * most, `${interval}: ${Math.max(...moments)}`);
      // No tenth of the time has far more of them than any other.
      const tenths = Array.from({length: 10}, (_, tenth) => moments.filter((one) => Math.floor((one * 10) / most) === tenth).length);
      assert.ok(Math.max(...tenths) < 140 && Math.min(...tenths) > 60, tenths.join());
    }
    const {inMs, message} = firstOf('uid-1', '1h');
    assert.equal(inMs, firstOf('uid-1', '1h').inMs);
    assert.ok(message.endsWith(`None is taken now: the first one is taken at ${at(inMs)}, so that not all begin together`), message);
  });
  it('waits for its turn, says so, and asks again when it is told to', () => {
    const asked: number[] = [];
    const observation = clusterOf({status: {backups: {since: at(0), last: lastOf({startedAt: at(-90 * minute)})}}});
    const {actions, inMs} = settleBackups(observation, (due) => {
      asked.push(due);
      return {kind: 'Waits', why: 'its turn', inMs: 5_000};
    });
    assert.deepEqual([asked, actions, inMs, observation.status.backups?.current], [[now - 30 * minute], [], 5_000, undefined]);
    assert.match(conditionIn(observation.status)?.message ?? '', /None is taken now: its turn$/);
    assert.equal(madeBy(settleBackups(observation, () => ({kind: 'Begins'})).actions).length, 1);
    // One that is not due, or that has begun, asks nobody.
    for (const backups of [{since: at(0), last: lastOf({})}, {since: at(0), current}]) settleBackups(clusterOf({status: {backups}}), () => assert.fail('asked'));
  });
  it('is due at once where spec.snapshot names another store, and the last one is told with the store that it is in', () => {
    const lastSuccess = {name: 'a.db', pod: 'etcd-1', memberID: idOf(1), clusterID: 'c1', startedAt: at(0), takenAt: at(0), finishedAt: at(0), revision: 5, bytes: 1, sha256: 'ab', kept: 1, store: 'claim backups'};
    const backups: Backups = {since: at(0), last: lastOf({}), lastSuccess};
    assert.deepEqual(settleBackups(clusterOf({status: {backups: structuredClone(backups)}})).actions, []);
    const moved = clusterOf({status: {backups: structuredClone(backups)}, spec: {...spec, snapshot: {claim: {name: 'backups', path: 'db'}}}});
    assert.equal(madeBy(settleBackups(moved).actions).length, 1);
    assert.match(conditionIn(moved.status)?.message ?? '', /a\.db \(revision 5, taken from etcd-1\) in claim backups$/);
    const failed = clusterOf({status: {backups: {...backups, failures: 1, last: lastOf({saved: false})}}, spec: {...spec, snapshot: {claim: {name: 'other'}}}});
    assert.deepEqual(settleBackups(failed).actions, [], 'a store that refuses is not asked all the time');
  });
  it('is told beside a run that none is taken, and once it is stale that it is', () => {
    const lastSuccess = {name: 'a.db', pod: 'etcd-1', memberID: idOf(1), clusterID: 'c1', startedAt: at(0), takenAt: at(0), finishedAt: at(0), revision: 5, bytes: 1, sha256: 'ab', kept: 1};
    const told = (ms: number) => {
      const observation = clusterOf({status: {run: runOf(), backups: {since: at(0), last: lastOf({}), lastSuccess}}, more: {now: now + ms}});
      sayBackups(observation, 'a run is in flight');
      return conditionIn(observation.status);
    };
    assert.deepEqual([told(minute)?.status, told(3 * 60 * minute)?.reason], ['True', 'Stale']);
    for (const ms of [minute, 3 * 60 * minute]) assert.match(told(ms)?.message ?? '', /None is taken now: a run is in flight$/);
  });
  it('that failed is tried again sooner, each time later, and never later than the schedule', () => {
    const waits = [1, 2, 3, 10].map((failures) =>
      settleBackups(clusterOf({status: {backups: {since: at(0), failures, last: lastOf({saved: false})}}})).inMs);
    assert.deepEqual(waits, [minute, 2 * minute, 4 * minute, 60 * minute]);
  });

  it('whose pod an operator did not come to make is made by the next one, under the same name', () => {
    const observation = clusterOf({status: {backups: {since: at(0), current}}});
    const [pod] = madeBy(settleBackups(observation).actions);
    assert.equal(pod?.metadata?.name, current.helper);
    assert.deepEqual(observation.status.backups?.current, {...current, store: 'claim backups'});
  });
  it('is waited for while its pod works', () => {
    const observation = clusterOf({status: {backups: {since: at(0), current}}, more: {linearizable: true, savers: [saver()]}});
    assert.deepEqual(settleBackups(observation).actions, []);
    assert.deepEqual(observation.status.backups?.current, current);
  });
  it('that was saved is recorded, and its pod taken away', () => {
    const observation = clusterOf({status: {backups: {since: at(0), current, failures: 2}}, more: {linearizable: true, savers: [saver(savedReport)]}});
    const {actions, inMs} = settleBackups(observation);
    assert.deepEqual(deletedBy(actions), [current.helper]);
    const {current: left, last, lastSuccess, failures} = observation.status.backups ?? {};
    assert.deepEqual([left, last?.saved, failures, lastSuccess?.revision, lastSuccess?.takenAt, lastSuccess?.kept], [undefined, true, undefined, 52, at(-4_000), 3]);
    assert.equal(inMs, 60 * minute - 5_000);
    const condition = conditionIn(observation.status);
    assert.deepEqual([condition?.status, condition?.reason], ['True', 'Saved']);
    assert.match(condition?.message ?? '', /db-etcd-20260101T000000Z\.db \(revision 52, taken from etcd-1\) in claim backups/);
  });
  it('that was saved while spec.snapshot was changed is told with the store that it went to', () => {
    const observation = clusterOf({spec: {...spec, snapshot: {claim: {name: 'other'}}}, status: {backups: {since: at(0), current: {...current, store: 'claim backups'}}}, more: {linearizable: true, savers: [saver(savedReport)]}});
    assert.equal(settleBackups(observation).inMs, 100, 'one is due in the new store');
    assert.match(conditionIn(observation.status)?.message ?? '', /in claim backups$/);
  });
  it('that failed is recorded with its cause, and said', () => {
    const observation = clusterOf({status: {backups: {since: at(0), current}}, more: {linearizable: true, savers: [saver(failedReport)]}});
    assert.deepEqual(deletedBy(settleBackups(observation).actions), [current.helper]);
    const {last, failures} = observation.status.backups ?? {};
    assert.deepEqual([last?.saved, last?.reason, failures], [false, 'StoreUnreachable', 1]);
    const condition = conditionIn(observation.status);
    assert.deepEqual([condition?.status, condition?.reason], ['False', 'Failed']);
    assert.match(condition?.message ?? '', /was not saved \(StoreUnreachable\): bucket b cannot be reached\. It is tried again\. No snapshot was saved yet/);
  });
  it('whose pod was evicted is recorded with the words of the kubelet, and what to do, also where its agent was killed for it', () => {
    const [made] = madeBy(settleBackups(clusterOf()).actions);
    const words = 'Usage of EmptyDir volume "quorumrecovery-scratch" exceeds the limit "66Mi". ';
    for (const containerStatuses of [undefined, [{name: 'volume-agent', image: '', imageID: '', ready: false, restartCount: 0, state: {terminated: {exitCode: 137, reason: 'Error'}}}]]) {
      const pod: V1Pod = {metadata: saver().metadata ?? {}, spec: {...made?.spec, containers: made?.spec?.containers ?? [], nodeName: 'node-7'}, status: {phase: 'Failed', reason: 'Evicted', message: words, ...(containerStatuses && {containerStatuses})}};
      const observation = clusterOf({status: {backups: {since: at(0), current}}, more: {linearizable: true, savers: [pod]}});
      settleBackups(observation);
      const {last} = observation.status.backups ?? {};
      assert.deepEqual([last?.saved, last?.reason], [false, 'Evicted']);
      assert.equal(last?.message, `pod ${current.helper} was evicted from node node-7: ${words.trim()} It stages a snapshot on the disk of its node, and had asked for 33Mi there: make room on the nodes' disks, or add a node with more. It is tried again.`);
      // Short of memory is another matter, and a snapshot that was saved before is saved.
      pod.status = {...pod.status, message: 'The node was low on resource: memory.'};
      const other = clusterOf({status: {backups: {since: at(0), current}}, more: {linearizable: true, savers: [pod]}});
      settleBackups(other);
      assert.match(other.status.backups?.last?.message ?? '', /low on resource: memory\.$/);
      pod.status.containerStatuses = saver(savedReport).status?.containerStatuses ?? [];
      const done = clusterOf({status: {backups: {since: at(0), current}}, more: {linearizable: true, savers: [pod]}});
      settleBackups(done);
      assert.equal(done.status.backups?.last?.saved, true);
    }
  });
  it('whose pod does not start is given up with what Kubernetes says of it', () => {
    const pod = saver(undefined, 'Pending');
    pod.status = {...pod.status, conditions: [{type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: 'persistentvolumeclaim "backups" not found'}]};
    const observation = clusterOf({status: {backups: {since: at(0), current: {...current, startedAt: at(-6 * minute)}}}, more: {linearizable: true, savers: [pod]}});
    settleBackups(observation);
    assert.deepEqual(observation.status.backups?.last?.reason, 'NotStarted');
    assert.match(observation.status.backups.last.message ?? '', /persistentvolumeclaim "backups" not found/);
  });
  it('whose pod the API server refuses is given up with its words', () => {
    const observation = clusterOf({status: {backups: {since: at(0), current: {...current, startedAt: at(-6 * minute), problem: 'exceeded quota'}}}});
    settleBackups(observation);
    assert.deepEqual([observation.status.backups?.last?.reason, observation.status.backups?.last?.message], ['PodRefused', 'exceeded quota']);
  });
  it('whose pod a run has taken away is given up after it as one that was interrupted, and is due at once', () => {
    const observation = clusterOf({status: {backups: {since: at(0), current: {...current, startedAt: at(-6 * minute)}}}});
    const {inMs} = settleBackups(observation);
    assert.deepEqual([observation.status.backups?.last?.reason, inMs], ['Interrupted', 100]);
  });
  it('is given up where its member is another one by now, and no pod of it was made', () => {
    const observation = clusterOf({ordinals: [member(0), member(1, {memberID: 'b7'}), member(2)], status: {backups: {since: at(0), current}}});
    assert.deepEqual(madeBy(settleBackups(observation).actions), []);
    assert.equal(observation.status.backups?.last?.reason, 'Interrupted');
  });
  it('of an operator that was deposed is taken away', () => {
    const stray: V1Pod = {...saver(), metadata: {name: 'etcd-backup-of-another', uid: 'x'}};
    const observation = clusterOf({status: {backups: {since: at(0), last: lastOf({})}}, more: {linearizable: true, savers: [stray]}});
    assert.deepEqual(deletedBy(settleBackups(observation).actions), ['etcd-backup-of-another']);
  });
  it('leaves nothing behind where spec.backups is taken out', () => {
    const observation = clusterOf({spec: {}, status: {backups: {since: at(0), current}, conditions: [{type: 'BackedUp', status: 'True', reason: 'Saved', message: '', lastTransitionTime: at(0)}]}, more: {linearizable: true, savers: [saver()]}});
    assert.deepEqual(deletedBy(settleBackups(observation).actions), [current.helper]);
    assert.deepEqual([observation.status.backups, conditionIn(observation.status)], [undefined, undefined]);
  });
});
