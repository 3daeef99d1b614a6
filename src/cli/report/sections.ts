import {databaseOwner, strategyWords} from '../../api/strategies.ts';
import type {DataLoss} from '../../api/types.ts';
import {heldInWords} from '../../decide/dependents.ts';
import type {Report} from './model.ts';

/** A part of a report, the same in Markdown and HTML. */
export interface Section {
  title: string;
  text?: string[];
  table?: {head: string[]; rows: string[][]};
  list?: string[];
}

export const whenTitle = 'What happened when';

const dash = (value: string | number | undefined) => (value === undefined || value === '' ? '-' : String(value));
const inSeconds = (value: number | undefined) => (value === undefined ? '-' : `${value.toFixed(1)} s`);

const verdicts: Record<Report['loss']['verdict'], string> = {
  None: 'Nothing was lost', Possible: 'Data may be lost', Unknown: 'Whether data was lost is not known', NotTold: 'Nothing to tell',
};

export const verdictOf = ({loss}: Report): string => verdicts[loss.verdict];

/** Of an earlier run there is no plan any more. */
const wordsOf = ({strategy, plan, loss: {facts}}: Report) => strategyWords(strategy, databaseOwner(plan) ?? (plan === undefined ? facts?.database?.pod : undefined));

/** What somebody wants to know first. */
export function keyFacts(report: Report): [string, string][] {
  const {survivor} = wordsOf(report);
  const replaces = survivor === 'Through';
  return [
    ['Outcome', report.outcome], ['Cluster', `StatefulSet ${report.statefulSet} in ${report.namespace}`], ...(survivor === undefined ? [] : [[survivor, dash(report.survivor)] satisfies [string, string]]), ['Strategy', dash(report.strategy)],
    ['Begun', dash(report.startedAt)], ['Clients can write', replaces ? 'throughout: a quorum served' : report.writableAt === undefined ? '-' : `${report.writableAt} (without writes for ${inSeconds(report.unavailableSeconds)})`],
    ['Whole again', dash(report.redundantAt)], ['Ended', report.finishedAt === undefined ? 'in flight' : `${report.finishedAt} (after ${inSeconds(report.durationSeconds)})`], ['Data', verdictOf(report)],
  ];
}

const revisionRows = (revisions: DataLoss['revisions']): string[][] => (revisions === undefined ? [] : [
  ['Revision moved past what clients may have seen', `from ${revisions.from} to ${revisions.to}`],
  ['No client sees a revision twice with other content', `${revisions.proven ? 'proven' : 'not proven: restart clients that cache by revision'} (${revisions.why})`],
]);

const databaseRows = (database: DataLoss['database']): string[][] => (database === undefined ? [] : [
  ['Last log entry in that database', String(database.index)], ['Last entry of its log', database.logIndex === undefined ? 'not known: it cannot be read' : String(database.logIndex)],
]);

function lossSection(report: Report): Section {
  const {loss} = report;
  const {facts} = loss;
  const rows = facts === undefined ? [] : [
    [wordsOf(report).revision, dash(facts.survivorRevision)], ['Highest revision that was seen anywhere', dash(facts.lastKnownRevision)],
    ['Entries beyond the commit index that were kept', dash(facts.recoveredTailEntries)], ['Entries that etcd dropped', dash(facts.discardedEntries)],
    ...databaseRows(facts.database), ...revisionRows(facts.revisions), ['The resource saw the cluster whole before', facts.witnessed === true ? 'yes' : 'no'], ...(facts.longerLogs ?? []).map((log) => ['A longer log elsewhere', log]),
  ];
  return {title: 'What was lost', text: [`${verdicts[loss.verdict]}: ${loss.text}`], ...(rows.length > 0 && {table: {head: ['Fact', 'Value'], rows}})};
}

function planSections({plan}: Report): Section[] {
  if (plan === undefined) return [];
  if (plan.strategy === 'Restart') return [{title: strategyWords(plan.strategy).why, text: [plan.why, `Expected loss, as the plan said: ${plan.expectedLoss}`]}, ...(plan.notes.length > 0 ? [{title: 'Notes of the plan', list: plan.notes}] : [])];
  return [
    {title: strategyWords(plan.strategy, databaseOwner(plan)).why, text: [plan.why === '' ? plan.survivor : `${databaseOwner(plan) ?? plan.survivor}: ${plan.why}`, `Expected loss, as the plan said: ${plan.expectedLoss}`], table: {
      head: ['', 'Member', 'ID', 'Last term', 'Last index', 'Commit', 'Revision', 'Read from'],
      rows: plan.ranks.map(({pod, memberID, term, index, commit, revision, from}, place) => [String(place + 1), pod, memberID, ...[term, index, commit, revision].map(String), from]),
    }},
    {title: 'Who was lost, and the proof', table: {head: ['Member', 'ID', 'Proof', 'What it says'], rows: plan.lost.map(({pod, memberID, fenced, proof}) => [pod, dash(memberID), fenced, dash(proof)])}},
    {title: 'Claims', table: {head: ['Claim', 'Pod', 'Where it was', 'What happened to it'], rows: plan.claims.map(({name, pod, place, fate}) => [name, pod, place, fate])}},
    ...(plan.notes.length > 0 ? [{title: 'Notes of the plan', list: plan.notes}] : []),
  ];
}

/** The sections in the order in which they are read. Empty ones are left out. */
export function sectionsOf(report: Report): Section[] {
  const moments = report.moments.filter(({kind}) => kind !== 'phase');
  const all: Section[] = [
    {title: whenTitle, table: {head: ['Time (UTC)', 'Took', 'What', ''], rows: moments.map(({at, until, title, text}) =>
      [new Date(at).toISOString().slice(11, 23), until === undefined ? '' : `${((Date.parse(until) - Date.parse(at)) / 1000).toFixed(1)} s`, title, text ?? ''])}},
    {title: 'Who decided', table: {head: ['What', 'Who', 'When', 'Known from'], rows: report.people.map(({what, who, at, source}) => [what, who, dash(at), source])}},
    lossSection(report),
    {title: 'What was kept, and where', table: {head: ['What', 'Where', 'Until'], rows: report.kept.map(({what, where, until}) => [what, where, until ?? 'you delete it'])}},
    {title: 'Dependents, stopped and brought back', table: {head: ['What', 'Stopped', 'Back', 'Ready', 'Started again meanwhile', ''], rows: report.dependents.map((record) =>
      [heldInWords(record), record.stoppedAt, dash(record.returnedAt), dash(record.readyAt), record.startedAgain === undefined ? '-' : `${record.startedAgain}${record.startedBy === undefined ? '' : `, last by ${record.startedBy}`}`, record.message ?? ''])}},
    ...planSections(report),
    {title: 'Members at the end', table: {head: ['Member', 'ID', 'Health', 'Revision', 'Node', 'Last process ended, by'], rows: report.members.map(({pod, memberID, health, revision, node, fenced}) => [pod, memberID, health, dash(revision), node, fenced])}},
    {title: 'What this report cannot tell', list: report.gaps},
  ];
  return all.filter(({table, list, text}) => (table?.rows.length ?? 0) > 0 || (list?.length ?? 0) > 0 || (text?.length ?? 0) > 0);
}
