import assert from 'node:assert/strict';
import {mkdtempSync, readFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {run} from '../../../src/cli/commands/report.ts';
import {renderHtml} from '../../../src/cli/report/html.ts';
import {renderMarkdown} from '../../../src/cli/report/markdown.ts';
import {reportOf} from '../../../src/cli/report/model.ts';
import type {Report} from '../../../src/cli/report/model.ts';
import {clock, renderTimeline, ticks} from '../../../src/cli/report/timeline.ts';
import {at, begin, condition, FakeApi, FakeWorld, invoke, planOf, resourceOf, runOf} from './fake.ts';
import {reportFor, resource} from './report-fixture.ts';

describe('the report of a run', () => {
  it('tells what happened when, in order, with the loss from before the run and no event of another', () => {
    const {moments, unavailableSeconds, lostAt} = reportFor(resource());
    assert.deepEqual(moments.filter(({kind}) => kind !== 'step' && kind !== 'phase').map(({title, at: time}) => [title, (Date.parse(time) - begin) / 1000]), [
      ['Quorum lost', -10], ['Run run-1 begins', 0], [`ada of ops: approved plan ${planOf().hash}`, 3], ['with kubectl-patch: set spec.approvedPlan; the last of it then', 3], ['Held', 4],
      ['Clients can write', 8], ['Whole again', 25], ['Run ends: Recovered', 30],
    ]);
    assert.equal(unavailableSeconds, 18);
    assert.equal(lostAt, at(-10));
  });

  it('tells who approved, and how that is known; a note of another plan\'s approval counts for nothing', () => {
    assert.deepEqual(reportFor(resource()).people.map(({who, source}) => [who, source]), [['ada of ops', 'annotation quorumrecovery.io/approved-by'], ['with kubectl-patch', 'metadata.managedFields'], ['with kubectl-quorum_recovery', 'metadata.managedFields']]);
    const other = resource();
    other.metadata.annotations = {'quorumrecovery.io/approved-by': `ada sha256-other ${at(3)}`};
    assert.equal(reportFor(other).people[0]?.who, 'not recorded');
  });

  it('tells what was kept and where, and what was lost', () => {
    const {kept, loss} = reportFor(resource());
    assert.deepEqual(kept.map(({where, until}) => [where, until]), [['.quorumrecovery/run-1/copy on its own volume', at(604_800)], ['its PersistentVolume, set to Retain', undefined]]);
    assert.equal(loss.verdict, 'None');
    for (const [status, verdict] of [['True', 'Possible'], ['Unknown', 'Unknown']] as const) {
      assert.equal(reportFor(resource({conditions: [condition('DataLossPossible', status, 'X', 'y')]})).loss.verdict, verdict);
    }
  });

  it('never says of a restore or a rebuild that nothing was lost, but by the condition of that very run', () => {
    const dataLoss = {lastKnownRevision: 40, witnessed: true, survivorRevision: 40};
    const old = [condition('DataLossPossible', 'False', 'NothingDropped', 'of an earlier run')];
    const newCluster = {attempt: 1, members: ['etcd-0'], clusterID: 'n', seeded: [], begunAt: at(5)};
    for (const [strategy, words] of [['RestoreSnapshot', /after the snapshot \(revision 40\) is lost; revision 40 was seen/], ['RebuildFromConfig', /everything that is not in the sources is lost; revision 40/]] as const) {
      const of = (more: object, conditions = old) => resource({dataLoss, conditions, run: runOf({plan: planOf({strategy}), newCluster: {...newCluster, ...more}})});
      const {loss} = reportFor(of({}));
      assert.equal(loss.verdict, 'Possible');
      assert.match(loss.text, words);
      assert.equal(reportFor(of({servedAt: at(8)}, [condition('DataLossPossible', 'True', 'X', 'of this run')])).loss.text, 'of this run');
      assert.equal(reportFor(of({servedAt: at(8)}, [])).loss.verdict, 'Possible');
      const past = resource({history: [{id: 'run-0', startedAt: at(-90), finishedAt: at(-60), outcome: 'Recovered', attempt: 1, durationSeconds: 30, strategy, dataLoss}]} as object);
      assert.equal(reportFor(past, 'run-0').loss.verdict, 'Possible');
    }
  });

  it('tells whether any client can see a revision twice, and who has to be restarted', () => {
    const rowsOf = (proven: boolean) => {
      const text = renderMarkdown(reportFor(resource({dataLoss: {survivorRevision: 90, revisions: {from: 92, to: 1_400, proven, why: 'a quorum was seen'}}})));
      return text.split('\n').filter((line) => /moved past|sees a revision twice/.test(line)).join('\n');
    };
    assert.match(rowsOf(true), /from 92 to 1400[^]*\| proven \(a quorum was seen\)/);
    assert.match(rowsOf(false), /not proven: restart clients that cache by revision/);
  });

  it('knows earlier runs by their line of the history, and says that this is all', () => {
    const report = reportFor(resource(), 'run-0');
    assert.equal(report.outcome, 'NotNeeded');
    assert.equal(report.startedAt, at(-1002));
    assert.match(report.gaps[0] ?? '', /one line/);
    assert.equal(report.members.length, 0, 'the members of now are not those of then');
    assert.equal(reportOf(resource(), [], begin, 'run-9'), undefined);
  });

  it('of a run in flight has no end', () => {
    const {outcome, finishedAt, phases} = reportFor(resourceOf({run: runOf()}));
    assert.deepEqual([outcome, finishedAt, phases.at(-1)?.seconds], ['in flight', undefined, undefined]);
  });

  it('in Markdown means what it says, whatever etcd wrote', () => {
    const text = renderMarkdown(reportFor(resource()));
    assert.match(text, /^# Recovery of etcd in db: Recovered\n/);
    assert.match(text, /\\<script\\>/);
    assert.ok(!text.includes('<script>'));
    for (const line of text.split('\n').filter((one) => one.startsWith('| '))) assert.ok(line.endsWith(' |'), line);
    const table = text.split('\n').filter((line) => line.includes('Approve'));
    assert.equal(table[0]?.replaceAll('\\|', '').split('|').length, 6, 'a cell broke out of its table');
  });

  it('as HTML needs nothing from elsewhere, lets nothing in, and runs nothing', () => {
    const html = renderHtml(reportFor(resource()));
    assert.match(html, /Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'"/);
    assert.ok(!/<script|<link|<img|<iframe|javascript:|@import|url\(|\bsrc=|\bon\w+=/i.test(html), 'something is loaded or run');
    assert.deepEqual([...html.matchAll(/https?:\/\/[^"\s<]+/g)].map(([url]) => url).filter((url) => url !== 'http://www.w3.org/2000/svg'), []);
    assert.match(html, /&lt;script&gt;alert\(1\)&lt;\/script&gt; &amp; &quot;x&quot;/);
    assert.deepEqual([...html.matchAll(/<(\w+)[^>]*>/g)].map(([, tag]) => tag).filter((tag) => tag === 'section').length, [...html.matchAll(/<\/section>/g)].length);
  });

  it('draws the phases to scale, and what people and clients noticed', () => {
    const svg = renderTimeline(reportFor(resource()));
    const bars = [...svg.matchAll(/<title>(\w+): [^<]*<\/title>.*?<rect class="bar" x="([\d.]+)" y="\d+" width="([\d.]+)"/g)].map(([, phase, x, width]) => [phase, Number(x), Number(width)]);
    // 40 s from the loss to the end, on 790 units from 150 on.
    assert.deepEqual(bars, [['Planning', 347.5, 39.5], ['AwaitingApproval', 387, 19.8], ['Holding', 406.8, 39.5], ['Verifying', 446.3, 493.8]]);
    assert.match(svg, /class="mark milestone"><title>Clients can write/);
    assert.match(svg, /class="mark loss"/);
    assert.equal(renderTimeline(reportFor(resource(), 'run-0')), '');
    assert.deepEqual(ticks(40), [0, 5, 10, 15, 20, 25, 30, 35, 40]);
    assert.deepEqual([0.5, 45, 90, 3_599.9, 7_500].map(clock), ['0.5 s', '45 s', '1:30 min', '60:00 min', '2:05 h']);
    assert.ok([1, 7, 100, 1_000, 100_000].every((seconds) => ticks(seconds).length <= 10 && ticks(seconds).length > 1));
  });

  it('is written to a file, and says what it could not read', async () => {
    const api = new FakeApi().seed('QuorumRecovery', resource());
    api.forbidden.add('list Event');
    const file = join(mkdtempSync(join(tmpdir(), 'report-')), 'report.json');
    const world = new FakeWorld(api);
    assert.equal(await run(invoke([], {output: 'json', file}), world), 0);
    const report = JSON.parse(readFileSync(file, 'utf8')) as Report;
    assert.match(report.gaps[0] ?? '', /Events could not be read/);
    assert.deepEqual(world.said, []);
    await assert.rejects(run(invoke([], {run: 'run-9'}), world), /knows no run run-9: it has run-1, run-0/);
  });
});
