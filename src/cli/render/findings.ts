import type {Finding, Level} from '../doctor/finding.ts';
import type {Style} from './paint.ts';
import type {View} from './status.ts';
import {counted, wrap} from './text.ts';

const signs: Record<Level, [string, Style]> = {ok: ['✔', 'green'], note: ['!', 'yellow'], problem: ['✗', 'red'], unknown: ['?', 'yellow']};

export function renderFindings(title: string, findings: readonly Finding[], {paint, width}: View): string {
  const column = Math.max(...findings.map(({area}) => area.length)) + 6;
  const pad = ' '.repeat(column);
  return [paint.bold(title), ...findings.flatMap(({area, level, what, change}) => {
    const [sign, style] = signs[level];
    const room = Math.max(40, width - column);
    const [first = '', ...rest] = wrap(what, room);
    return [
      `  ${paint.as(style, sign)} ${area.padEnd(column - 4)}${first}`, ...rest.map((line) => pad + line),
      ...(change === undefined ? [] : wrap(`→ ${change}`, room, '  ').map((line) => pad + paint.dim(line))),
    ];
  })].join('\n');
}

/** The last line: is it ready? */
export function renderVerdict(findings: readonly Finding[], {paint}: View): string {
  const count = (level: Level) => findings.filter((finding) => finding.level === level).length;
  const problems = count('problem');
  const rest = [...(count('note') > 0 ? [counted(count('note'), 'note')] : []), ...(count('unknown') > 0 ? [`${count('unknown')} not told`] : [])];
  const verdict = problems === 0 ? paint.as('green', 'Nothing would stop a recovery.') : paint.as('red', `${counted(problems, 'problem')} would stop a recovery, or lose data in one.`);
  return rest.length === 0 ? verdict : `${verdict} ${rest.join(', ')}.`;
}
