import assert from 'node:assert/strict';
import {renderFindings, renderVerdict} from '../../../src/cli/render/findings.ts';
import {renderObject} from '../../../src/cli/render/objects.ts';
import {Paint, plainPaint, readable, widthOf} from '../../../src/cli/render/paint.ts';
import {renderPlan} from '../../../src/cli/render/plan.ts';
import {renderList, renderStatus} from '../../../src/cli/render/status.ts';
import {duration, table, wrap} from '../../../src/cli/render/text.ts';
import {at, begin, condition, holding, planOf, resourceOf, runOf} from './fake.ts';

const view = {paint: plainPaint, width: 110, now: begin + 10_000};

describe('what the plugin shows', () => {
  it('a run in flight', () => {
    assert.equal(renderStatus(resourceOf(holding()), view), `\
etcd in db, StatefulSet etcd  Holding  run-1, steps 2/4, for 10 s
Quorum     1 of 3 voters answer, 2 needed: lost for good
Survivor   etcd-2 (its log goes furthest)
Held       etcd-0, etcd-1, etcd-2: they start when their turn comes
Now        Progressing: Stop: etcd-2 is stopping

  MEMBER    HEALTH    ROLE   REVISION  TERM/INDEX  NODE  CLAIM        FENCED BY
  etcd-0    Lost      Voter  -         -           n0    data-etcd-0  NodeDeleted
  etcd-2 *  NoLeader  Voter  90        5/120       n2    data-etcd-2  -
  * the survivor, whose data the cluster starts from

  ✔ Planning    2.0 s  planned
  ▶ Holding     8.0 s  Stop: etcd-2 is stopping
  · Preserving`);
  });

  it('what is stopped around the surgery, in the plan and in the status', () => {
    const stopped = {kind: 'Deployment' as const, name: 'api', uid: 'u', replicas: 3, state: 'Stopped' as const, stoppedAt: at(1), startedAgain: 2, startedBy: 'argocd-controller'};
    const back = {kind: 'DaemonSet' as const, name: 'agent', uid: 'u', state: 'Returned' as const, stoppedAt: at(1), returnedAt: at(2)};
    const plan = planOf({dependents: [{kind: 'Deployment', name: 'api', has: '3 replicas'}, {kind: 'DaemonSet', name: 'agent', has: 'every node'}]});
    const run = runOf({plan, dependents: [stopped, {...back, readyAt: at(3)}, {...back, name: 'log', message: 'not Ready 10m after its return'}]});
    const wide = {...view, width: 400};
    assert.match(renderStatus(resourceOf(holding({run})), wide), /^Dependents Deployment api \(3 replicas\) stopped, started again 2 times by argocd-controller; DaemonSet agent back and Ready; DaemonSet log back \(not Ready 10m after its return\)$/m);
    assert.match(renderPlan(resourceOf(holding({run})), run, plan, view), /^Dependents, stopped first and brought back in this order\n {2}Deployment api: 3 replicas\n {2}DaemonSet agent: every node$/m);
  });

  it('what stops a run, with the page that helps', () => {
    const blocked = resourceOf(holding({phase: 'Blocked', members: [], conditions: [
      condition('Ready', 'False', 'FencingUnproven', 'node n0 is NotReady'), condition('Stalled', 'True', 'FencingUnproven', 'node n0 is NotReady: pod etcd-0 may still run there'),
    ]}));
    const shown = renderStatus(blocked, view);
    assert.match(shown, /^Blocked {4}FencingUnproven: node n0 is NotReady: pod etcd-0 may still run there\nHelp {7}docs\/runbooks\/FencingUnproven\.md$/m);
  });

  it('an approval that is waited for, a resource that nobody looks at, and a spec that is newer than the status', () => {
    const waiting = resourceOf(holding({phase: 'AwaitingApproval', conditions: [condition('Ready', 'Unknown', 'AwaitingApproval', 'plan')]}));
    assert.match(renderStatus(waiting, {...view, width: Number.POSITIVE_INFINITY}), /Waits for {2}an approval of plan sha256-a+: kubectl quorum-recovery -n db approve etcd/);
    assert.match(renderStatus(resourceOf(undefined), view), /the operator has not looked at the newest spec yet/);
    assert.match(renderStatus(resourceOf({}), view), /nothing yet: is the operator running\?/);
    assert.match(renderStatus(resourceOf(holding(), {metadata: {generation: 2}}), view), /has not looked at the newest spec yet/);
  });

  it('the end of a run: when clients could write, what was lost, the witness', () => {
    const done = resourceOf({
      phase: 'Complete', quorum: {voters: 3, needed: 2, healthy: 3, summary: '3/3'},
      run: runOf({outcome: 'Recovered', finishedAt: at(30), writableAt: at(8), redundantAt: at(25), steps: [{name: 'Plan', state: 'Done', startedAt: at(0), finishedAt: at(30), message: 'planned'}]}),
      lastHealthy: {clusterID: 'c', revision: 91, raftIndex: 1, raftTerm: 6, observedAt: at(35), members: []},
      conditions: [condition('Ready', 'True', 'Recovered', 'recovered from etcd-2 in 30 s'), condition('QuorumLost', 'False', 'QuorumHolds', '3/3'), condition('DataLossPossible', 'Unknown', 'NoWitness', 'nothing on the disk was dropped')],
    });
    assert.equal(renderStatus(done, {...view, width: 200, now: begin + 40_000}), `\
etcd in db, StatefulSet etcd  Complete  run-1, steps 2/4, took 30 s, ended 10 s ago
Quorum     3 of 3 voters answer, 2 needed
Survivor   etcd-2 (its log goes furthest)
Result     Recovered: recovered from etcd-2 in 30 s
Times      clients can write since 2026-01-01T12:00:08.000Z (8.0 s after the start of the run); whole since 2026-01-01T12:00:25.000Z (25 s)
Data       loss not known: nothing on the disk was dropped
Witness    whole cluster seen 5.0 s ago, revision 91

  ✔ Planning  30 s  planned`);
  });

  it('phases, health and outcomes that this version does not know', () => {
    const newer = resourceOf(holding({phase: 'Suspected', members: [{pod: 'etcd-0', role: 'Voter', health: 'Sleepy' as 'Healthy'}]}));
    const shown = renderStatus(newer, view);
    assert.match(shown, /Suspected/);
    assert.match(shown, /Sleepy/);
  });

  it('a list of all namespaces', () => {
    assert.equal(renderList([resourceOf(holding()), resourceOf(undefined, {metadata: {namespace: 'other', name: 'b'}})], true, view), `\
NAMESPACE  NAME  CLUSTER  PHASE    QUORUM  STEP  SURVIVOR  SINCE  REASON
db         etcd  etcd     Holding  1/3     2/4   etcd-2    5.0 s  Progressing
other      b     etcd     New      -       -     -         -      -
2 clusters`);
  });

  it('a plan that waits for approval', () => {
    const waiting = resourceOf(holding({conditions: [condition('Ready', 'Unknown', 'AwaitingApproval', 'plan')]}));
    const ranks = [...planOf().ranks, {pod: 'etcd-1', memberID: 'a1', term: 0, index: 0, commit: 0, revision: 0, from: 'unread' as const}];
    assert.equal(renderPlan(waiting, runOf(), planOf({ranks, notes: []}), view), `\
Plan for etcd in db (StatefulSet etcd, run-1, attempt 1)
Hash      sha256-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa  waits for approval
Strategy  ForceNewCluster
Survivor  etcd-2: its log goes furthest
Loss      none that is known

Candidates, the best data first
      MEMBER  ID  LAST TERM  LAST INDEX  COMMIT  REVISION  READ FROM
  1.  etcd-2  a2  5          120         118     90        its disk
  2.  etcd-1  a1  -          -           -       -         not read

Members that do not come back as they were
  MEMBER  ID  PROOF OF ITS END
  etcd-0  a0  NodeDeleted       Node n0 is deleted
  etcd-1  a1  NodeDeleted       Node n1 is deleted

Claims
  CLAIM        POD     WHERE IT IS                WHAT HAPPENS TO IT
  data-etcd-0  etcd-0  on node n0, which is gone  replaced; its volume is kept

Steps
   1. ✔ Hold
   2. ▶ Stop  etcd-2 is stopping
   3. · Inspect
   4. · Force

Nothing was touched so far. To carry it out: kubectl quorum-recovery -n db approve etcd --hash sha256-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa`);
  });

  it('what the doctor found, and its verdict', () => {
    const findings = [
      {area: 'Size', level: 'ok' as const, what: '3 members'}, {area: 'Probes', level: 'problem' as const, what: 'GET /health needs a quorum', change: 'use /livez'},
      {area: 'Nodes', level: 'unknown' as const, what: 'you may not list nodes', change: 'ask'},
    ];
    assert.equal(renderFindings('StatefulSet etcd', findings, view), `\
StatefulSet etcd
  ✔ Size    3 members
  ✗ Probes  GET /health needs a quorum
            → use /livez
  ? Nodes   you may not list nodes
            → ask`);
    assert.equal(renderVerdict(findings, view), '1 problem would stop a recovery, or lose data in one. 1 not told.');
    assert.equal(renderVerdict([], view), 'Nothing would stop a recovery.');
  });

  it('text that is as wide as the terminal, with colours that take no room', () => {
    const paint = new Paint(true);
    assert.equal(widthOf(paint.as('red', 'four')), 4);
    assert.deepEqual(table([[paint.as('red', 'a'), 'b'], ['long', 'c']]), [`${paint.as('red', 'a')}     b`, 'long  c']);
    assert.deepEqual(wrap('one two three', 8, '  '), ['one two', '  three']);
    const long = resourceOf(holding({members: [], run: runOf({steps: [{name: 'Plan', state: 'Running', startedAt: at(0), message: 'so many words '.repeat(20)}]})}));
    for (const [shown, width] of [[plainPaint, 80], [new Paint(true), 70]] as const) {
      assert.deepEqual(renderStatus(long, {...view, paint: shown, width}).split('\n').filter((line) => widthOf(line) > width), []);
    }
    assert.deepEqual([1_234, 45_000, 600_000, 10_000_000, 400_000_000].map(duration), ['1.2 s', '45 s', '10 min', '3 h', '5 d']);
  });

  it('nothing that could move a terminal\'s cursor', () => {
    assert.deepEqual(readable({message: 'a\u001b[2Jb\u0007\rc', list: ['\u009bx'], count: 3, none: null}), {message: 'a [2Jb  c', list: [' x'], count: 3, none: null});
  });

  it('objects without managedFields, as JSON and YAML', async () => {
    const object = {metadata: {name: 'a', managedFields: [{}]}, items: [{metadata: {managedFields: [{}]}}]};
    assert.deepEqual(JSON.parse(await renderObject(object, 'json')), {metadata: {name: 'a'}, items: [{metadata: {}}]});
    assert.equal(await renderObject({metadata: {name: 'a', managedFields: []}}, 'yaml'), 'metadata:\n  name: a');
  });
});
