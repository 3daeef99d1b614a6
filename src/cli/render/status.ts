import {databaseOwner, strategyWords} from '../../api/strategies.ts';
import type {DependentRecord, MemberRecord, QuorumRecovery, Run} from '../../api/types.ts';
import {heldInWords} from '../../decide/dependents.ts';
import {conditionOf, isCurrent, nameOf, namespaceOf} from '../resources.ts';
import {widthOf} from './paint.ts';
import type {Paint, Style} from './paint.ts';
import {phaseTimes} from './phases.ts';
import type {PhaseTime} from './phases.ts';
import {between, counted, duration, labelled, table} from './text.ts';

export interface View {
  paint: Paint;
  width: number;
  now: number;
}

const styles: Record<string, Style> = {
  Blocked: 'red', Stalled: 'red', Failed: 'red', AwaitingApproval: 'yellow', Complete: 'green', Watching: 'green',
};

const healthStyles: Record<MemberRecord['health'], Style> = {
  Healthy: 'green', NoLeader: 'yellow', NotAnswering: 'red', NotRunning: 'red', Held: 'cyan', Lost: 'red', Unknown: 'yellow',
};

/** A status of a newer operator may have words that are not known here. */
const paintBy = (paint: Paint, known: Record<string, Style>, word: string) => paint.as(known[word] ?? 'cyan', word);

export const phaseOf = ({status}: QuorumRecovery): string => status?.phase ?? 'New';

function headline(resource: QuorumRecovery, {paint, now}: View): string {
  const {run} = resource.status ?? {};
  const words = [`${paint.bold(nameOf(resource))} in ${namespaceOf(resource)}, StatefulSet ${resource.spec.target.statefulSet}`, paintBy(paint, styles, phaseOf(resource))];
  if (run === undefined) return words.join('  ');
  const took = duration(between(run.startedAt, run.finishedAt ?? now) ?? 0);
  const steps = run.progress === undefined || run.progress === '' ? '' : `, steps ${run.progress}`;
  return [...words, paint.dim(run.finishedAt === undefined ? `${run.id}${steps}, for ${took}` : `${run.id}${steps}, took ${took}, ended ${duration(now - Date.parse(run.finishedAt))} ago`)].join('  ');
}

function quorumLine(resource: QuorumRecovery, paint: Paint): string | undefined {
  const {quorum} = resource.status ?? {};
  if (quorum === undefined) return undefined;
  const lost = conditionOf(resource, 'QuorumLost');
  const counts = `${quorum.healthy} of ${quorum.voters} voters answer, ${quorum.needed} needed`;
  if (lost?.status === 'True') return paint.as('red', `${counts}: ${lost.reason === 'LostForGood' ? 'lost for good' : 'below quorum'}`);
  return lost?.status === 'False' && lost.reason === 'QuorumHolds' && quorum.healthy >= quorum.needed ? paint.as('green', counts) : counts;
}

function memberRow(member: MemberRecord, survivor: string | undefined, paint: Paint): string[] {
  const {pod, role, health, revision, raftTerm, raftIndex, node = '-', claim = '-', fenced} = member;
  const log = raftTerm === undefined || raftIndex === undefined ? '-' : `${raftTerm}/${raftIndex}`;
  return [
    `  ${pod}${pod === survivor ? ' *' : ''}`, paintBy(paint, healthStyles, health), role, revision === undefined ? '-' : String(revision), log, node, claim,
    fenced === undefined ? '-' : fenced.by,
  ];
}

function members({status}: QuorumRecovery, {paint}: View): string[] {
  const all = status?.members ?? [];
  if (all.length === 0) return [];
  const survivor = status?.run?.plan?.survivor;
  const head = ['  MEMBER', 'HEALTH', 'ROLE', 'REVISION', 'TERM/INDEX', 'NODE', 'CLAIM', 'FENCED BY'].map((word) => paint.dim(word));
  const rows = table([head, ...all.map((member) => memberRow(member, survivor, paint))]);
  return ['', ...rows, ...(survivor === undefined ? [] : [paint.dim('  * the survivor, whose data the cluster starts from')])];
}

const signs: Record<PhaseTime['state'], [string, Style]> = {Done: ['✔', 'green'], Running: ['▶', 'cyan'], Pending: ['·', 'dim']};

/** What is to be said of a phase: the step that runs, or one that was deferred. */
function phaseNote({state, steps}: PhaseTime): string {
  const running = steps.find((step) => step.state === 'Running');
  if (running?.message !== undefined) return steps.length > 1 ? `${running.name}: ${running.message}` : running.message;
  const deferred = steps.filter((step) => step.state === 'Deferred');
  if (deferred.length > 0) return `${deferred.map((step) => step.name).join(', ')} deferred`;
  return state === 'Done' ? steps.at(-1)?.message ?? '' : '';
}

function phases(run: Run, {paint, width, now}: View): string[] {
  const rows = phaseTimes(run).map((time) => {
    const [sign, style] = signs[time.state];
    const took = between(time.startedAt, time.finishedAt ?? (run.finishedAt === undefined ? now : run.finishedAt));
    return [`  ${paint.as(style, sign)} ${time.phase}`, time.state === 'Pending' || took === undefined ? '' : duration(took), phaseNote(time)];
  });
  // What is cut here stands in full above, or in the plan.
  const room = width - Math.max(...rows.map(([phase = '']) => widthOf(phase))) - Math.max(...rows.map(([, took = '']) => took.length)) - 4;
  return ['', ...table(rows.map(([phase = '', took = '', said = '']) => [phase, took, cut(said, room)]))];
}

const cut = (text: string, room: number) => (text.length > room ? `${text.slice(0, Math.max(0, room - 1))}…` : text);

function milestones(run: Run): string | undefined {
  const writable = between(run.startedAt, run.writableAt);
  const redundant = between(run.startedAt, run.redundantAt);
  const said = [
    ...(writable === undefined ? [] : [`clients can write since ${run.writableAt ?? ''} (${duration(writable)} after the start of the run)`]),
    ...(redundant === undefined ? [] : [`whole since ${run.redundantAt ?? ''} (${duration(redundant)})`]),
  ];
  return said.length === 0 ? undefined : said.join('; ');
}

/** What is going on, or what it waits for: the condition that says most. */
function standing(resource: QuorumRecovery, paint: Paint): [string, string] | undefined {
  const ready = conditionOf(resource, 'Ready');
  const stalled = conditionOf(resource, 'Stalled');
  if (!isCurrent(resource)) return ['Now', paint.as('yellow', 'the operator has not looked at the newest spec yet')];
  if (stalled?.status === 'True') return [phaseOf(resource), paint.as('red', `${stalled.reason}: ${stalled.message}`)];
  if (ready === undefined) return ['Now', paint.as('yellow', 'nothing yet: is the operator running? (kubectl quorum-recovery doctor)')];
  if (ready.reason === 'AwaitingApproval') return ['Waits for', paint.as('yellow', `an approval of plan ${resource.status?.run?.plan?.hash ?? ''}: kubectl quorum-recovery -n ${namespaceOf(resource)} approve ${nameOf(resource)}`)];
  return [ready.status === 'Unknown' ? 'Now' : 'Result', `${ready.reason}: ${ready.message}`];
}

const runbooks = 'docs/runbooks';

function helpFor(resource: QuorumRecovery): string | undefined {
  const stalled = conditionOf(resource, 'Stalled');
  return stalled?.status === 'True' ? `${runbooks}/${phaseOf(resource) === 'Stalled' ? 'Stalled' : stalled.reason}.md` : undefined;
}

function lossLine(resource: QuorumRecovery, paint: Paint): string | undefined {
  const loss = conditionOf(resource, 'DataLossPossible');
  if (loss === undefined) return undefined;
  const verdict = loss.status === 'False' ? 'nothing lost' : loss.status === 'True' ? paint.as('red', 'loss possible') : 'loss not known';
  return `${verdict}: ${loss.message}`;
}

/** What a standing resource remembers; in a run other things matter. */
function witnessLine({status}: QuorumRecovery, now: number): string | undefined {
  const witness = status?.lastHealthy;
  if (witness === undefined || (status?.run !== undefined && status.run.finishedAt === undefined)) return undefined;
  return `whole cluster seen ${duration(now - Date.parse(witness.observedAt))} ago, revision ${witness.revision}`;
}

/** What is wrong while a quorum serves; of a run's own end its result tells. */
function foundLine({status}: QuorumRecovery, paint: Paint): string | undefined {
  const {findings = []} = status ?? {};
  return findings.length === 0 ? undefined : paint.as('yellow', findings.map((finding) => `${finding.case}: ${finding.message}`).join('; '));
}

/** Who leads as it is to, or why not yet; nothing where no leader is preferred. */
function leaderLine(resource: QuorumRecovery, paint: Paint): string | undefined {
  const leading = conditionOf(resource, 'PreferredLeader');
  const move = resource.status?.leadership?.move;
  const moved = move?.movedAt === undefined ? '' : `; moved from ${move.from} to ${move.to} at ${move.movedAt}`;
  if (leading === undefined) return undefined;
  return `${leading.status === 'True' ? leading.message : paint.as('yellow', `${leading.reason}: ${leading.message}`)}${moved}`;
}

const dependentWords: Record<DependentRecord['state'], string> = {Stopping: 'being stopped', Stopped: 'stopped', Returning: 'coming back', Returned: 'back'};

function dependentsLine({dependents = []}: Run): string | undefined {
  if (dependents.length === 0) return undefined;
  return dependents.map((record) => {
    const {state, readyAt, message, startedAgain = 0, startedBy} = record;
    const again = startedAgain === 0 ? '' : `, started again ${startedAgain === 1 ? 'once' : `${startedAgain} times`}${startedBy === undefined ? '' : ` by ${startedBy}`}`;
    return `${heldInWords(record)} ${state === 'Returned' && readyAt !== undefined ? 'back and Ready' : dependentWords[state]}${message === undefined ? '' : ` (${message})`}${again}`;
  }).join('; ');
}

/** One resource on a screen: the live view, and what `status` prints. */
export function renderStatus(resource: QuorumRecovery, view: View): string {
  const {paint, width, now} = view;
  const run = resource.status?.run;
  const plan = run?.plan;
  const owner = databaseOwner(plan);
  const by = strategyWords(plan?.strategy, owner);
  const held = resource.status?.heldPods ?? [];
  const stands = standing(resource, paint);
  const lines: [string, string | undefined][] = [
    ['Quorum', quorumLine(resource, paint)],
    [by.survivor ?? plan?.strategy ?? '', plan && (by.survivor === undefined ? plan.why : `${owner ?? plan.survivor}${plan.why === '' ? '' : ` (${plan.why})`}`)],
    ['Held', held.length === 0 ? undefined : `${held.join(', ')}: ${held.length === 1 ? 'starts when its' : 'they start when their'} turn comes`],
    ['Dependents', run && dependentsLine(run)],
    ...(stands === undefined ? [] : [stands]),
    ['Degraded', foundLine(resource, paint)], ['Leader', leaderLine(resource, paint)],
    ['Help', helpFor(resource)], ['Times', run && milestones(run)], ['Data', lossLine(resource, paint)], ['Witness', witnessLine(resource, now)],
  ];
  return [
    headline(resource, view), ...lines.flatMap(([label, text]) => (text === undefined ? [] : labelled(label, text, width))), ...members(resource, view),
    ...(run === undefined || (run.outcome === 'NotNeeded' && plan === undefined) ? [] : phases(run, view)),
  ].join('\n');
}

/** Many resources, one line each. */
export function renderList(resources: readonly QuorumRecovery[], all: boolean, {paint, now}: View): string {
  const head = [...(all ? ['NAMESPACE'] : []), 'NAME', 'CLUSTER', 'PHASE', 'QUORUM', 'STEP', 'SURVIVOR', 'SINCE', 'REASON'].map((word) => paint.dim(word));
  const rows = resources.map((resource) => {
    const {quorum, run} = resource.status ?? {};
    const ready = conditionOf(resource, 'Ready');
    return [
      ...(all ? [namespaceOf(resource)] : []), nameOf(resource), resource.spec.target.statefulSet, paintBy(paint, styles, phaseOf(resource)), quorum?.summary ?? '-',
      run?.progress === undefined || run.progress === '' ? '-' : run.progress, run?.plan?.survivor ?? '-',
      ready === undefined ? '-' : duration(now - Date.parse(ready.lastTransitionTime)), ready?.reason ?? '-',
    ];
  });
  return [...table([head, ...rows]), ...(resources.length > 1 ? [paint.dim(counted(resources.length, 'cluster'))] : [])].join('\n');
}
