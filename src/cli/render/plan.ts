import {databaseOwner, strategyWords} from '../../api/strategies.ts';
import type {Plan, QuorumRecovery, Run} from '../../api/types.ts';
import {conditionOf, nameOf, namespaceOf} from '../resources.ts';
import type {View} from './status.ts';
import {table, wrap} from './text.ts';

const heading = (view: View, text: string) => ['', view.paint.bold(text)];

const indented = (text: string, {width}: View) => wrap(`  ${text}`, width, '    ');

const fromWords: Record<Plan['ranks'][number]['from'], string> = {disk: 'its disk', etcd: 'its etcd', unread: 'not read'};

function ranks({ranks: all, survivor}: Plan, view: View): string[] {
  const head = ['  ', 'MEMBER', 'ID', 'LAST TERM', 'LAST INDEX', 'COMMIT', 'REVISION', 'READ FROM'].map((word) => view.paint.dim(word));
  return table([head, ...all.map(({pod, memberID, term, index, commit, revision, from}, place) => [
    `  ${place + 1}.`, pod === survivor ? view.paint.as('green', pod) : pod, memberID, ...[term, index, commit, revision].map((number) => (from === 'unread' ? '-' : String(number))), fromWords[from],
  ])]);
}

function lost({lost: all}: Plan, view: View): string[] {
  const head = ['  MEMBER', 'ID', 'PROOF OF ITS END', ''].map((word) => view.paint.dim(word));
  return table([head, ...all.map(({pod, memberID = '-', fenced, proof = ''}) => [`  ${pod}`, memberID, fenced, proof])]);
}

function claims({claims: all}: Plan, view: View): string[] {
  const head = ['  CLAIM', 'POD', 'WHERE IT IS', 'WHAT HAPPENS TO IT'].map((word) => view.paint.dim(word));
  return table([head, ...all.map(({name, pod, place, fate}) => [`  ${name}`, pod, place, fate])]);
}

function restarted({restarts = []}: Plan, view: View): string[] {
  return restarts.flatMap(({pod, podUID, why}) => indented(`${view.paint.as('green', pod)} ${podUID === undefined ? 'is made' : 'is stopped and made again'}: ${why}`, view));
}

/** Whom the plan is about. */
function members(plan: Plan, view: View): string[] {
  const intact = `  ${plan.candidates.join(', ')}`;
  if (plan.strategy === 'Restart') return [...heading(view, 'Pods that are brought up again'), ...restarted(plan, view), ...heading(view, 'Members with their data'), intact];
  const replaces = plan.strategy === 'ReplaceMembers';
  return [
    ...(replaces ? [...heading(view, 'Members that stay'), intact] : [...heading(view, 'Candidates, the best data first'), ...ranks(plan, view)]),
    ...heading(view, replaces ? 'Members that are replaced' : 'Members that do not come back as they were'), ...(plan.lost.length === 0 ? ['  none'] : lost(plan, view)),
  ];
}

const stepSigns: Record<string, string> = {Done: '✔', Running: '▶', Deferred: '…', Failed: '✗', Pending: '·'};

/** The steps of the plan, with what became of those that began. */
function steps({steps: planned}: Plan, run: Run, view: View): string[] {
  return planned.map((name, index) => {
    const record = run.steps.find((step) => step.name === name);
    return `  ${String(index + 1).padStart(2)}. ${stepSigns[record?.state ?? 'Pending'] ?? '·'} ${name}${record?.state === 'Running' || record?.state === 'Deferred' ? view.paint.dim(`  ${record.message ?? ''}`) : ''}`;
  });
}

/** What a person approves, as text. */
export function renderPlan(resource: QuorumRecovery, run: Run, plan: Plan, view: View): string {
  const {paint} = view;
  const approved = run.approved === undefined ? undefined : `approved at ${run.approved.at}`;
  const waits = conditionOf(resource, 'Ready')?.reason === 'AwaitingApproval';
  const owner = databaseOwner(plan);
  const {survivor} = strategyWords(plan.strategy, owner);
  return [
    `${paint.bold(`Plan for ${nameOf(resource)} in ${namespaceOf(resource)}`)} (StatefulSet ${resource.spec.target.statefulSet}, ${run.id}, attempt ${run.attempt})`,
    `Hash      ${plan.hash}${waits ? paint.as('yellow', '  waits for approval') : approved === undefined ? '' : paint.as('green', `  ${approved}`)}`,
    `Strategy  ${plan.strategy}`,
    ...(survivor === undefined ? [] : wrap(`${survivor.padEnd(8)}  ${paint.as('green', owner ?? plan.survivor)}${plan.why === '' ? '' : `: ${plan.why}`}`, view.width, '          ')),
    ...wrap(`Loss      ${plan.expectedLoss}`, view.width, '          '),
    ...members(plan, view),
    ...heading(view, 'Claims'), ...(plan.claims.length === 0 ? ['  none'] : claims(plan, view)),
    ...(plan.dependents === undefined ? [] : [...heading(view, 'Dependents, stopped first and brought back in this order'), ...plan.dependents.map(({kind, name, has}) => `  ${kind} ${name}: ${has}`)]),
    ...(plan.rebuild === undefined ? [] : [...heading(view, 'Loaded in this order; everything else is lost'), ...plan.rebuild.map(({name, from, keys}) => `  ${name}: ${from}${keys === undefined ? '' : `, ${keys} key${keys === 1 ? '' : 's'}`}`)]),
    ...(plan.configuration === undefined ? [] : [...heading(view, 'Configuration checks'), ...plan.configuration.flatMap(({name, source, state, message}) => indented(`${name} (${source}): ${state === 'Ignored' ? view.paint.as('yellow', `inconsistent and ignored: ${message}`) : message}`, view))]),
    ...heading(view, 'Steps'), ...steps(plan, run, view),
    ...(plan.notes.length === 0 ? [] : [...heading(view, 'Notes'), ...plan.notes.flatMap((note) => indented(note, view))]),
    ...(waits ? ['', `Nothing was touched so far. To carry it out: kubectl quorum-recovery -n ${namespaceOf(resource)} approve ${nameOf(resource)} --hash ${plan.hash}`] : []),
  ].join('\n');
}
