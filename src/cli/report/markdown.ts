import type {Report} from './model.ts';
import {keyFacts, sectionsOf} from './sections.ts';
import type {Section} from './sections.ts';

/** A text in Markdown means itself: messages carry what others wrote. */
export const escapeMarkdown = (text: string) => text.replaceAll(/[\\`*_[\]<>|#]/g, (sign) => `\\${sign}`).replaceAll(/\s*\n\s*/g, ' ');

const row = (cells: readonly string[]) => `| ${cells.map((cell) => escapeMarkdown(cell)).join(' | ')} |`;

function markdownOf({title, text = [], table, list = []}: Section): string {
  return [
    `## ${title}`, ...text.map(escapeMarkdown),
    ...(table === undefined || table.rows.length === 0 ? [] : [[row(table.head), `|${table.head.map(() => '---|').join('')}`, ...table.rows.map(row)].join('\n')]),
    ...(list.length === 0 ? [] : [list.map((item) => `- ${escapeMarkdown(item)}`).join('\n')]),
  ].join('\n\n');
}

export function renderMarkdown(report: Report): string {
  const facts = keyFacts(report).map(row);
  return [
    `# Recovery of ${escapeMarkdown(report.statefulSet)} in ${escapeMarkdown(report.namespace)}: ${escapeMarkdown(report.outcome)}`,
    escapeMarkdown(report.summary), ['| | |', '|---|---|', ...facts].join('\n'), ...sectionsOf(report).map(markdownOf),
    `QuorumRecovery ${escapeMarkdown(report.resource)}, run ${escapeMarkdown(report.run)}; written ${report.generatedAt}.`,
  ].filter((part) => part !== '').join('\n\n');
}
