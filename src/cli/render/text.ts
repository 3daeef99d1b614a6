import {widthOf} from './paint.ts';

/** Columns of equal width, two blanks between them; the last one is as long as it is. */
export function table(rows: readonly (readonly string[])[]): string[] {
  const columns = Math.max(0, ...rows.map((row) => row.length));
  const widths = Array.from({length: columns}, (_, column) => Math.max(0, ...rows.map((row) => (column === row.length - 1 ? 0 : widthOf(row[column] ?? '')))));
  const last = Math.max(0, ...rows.map((row) => (row.length === columns ? widthOf(row[columns - 1] ?? '') : 0)));
  return rows.map((row) => row.map((cell, column) =>
    (column === row.length - 1 ? cell : cell + ' '.repeat(Math.max(0, (column === columns - 1 ? last : widths[column] ?? 0) - widthOf(cell))))).join('  ').trimEnd());
}

/** Breaks a text at blanks; the lines after the first are indented. */
export function wrap(text: string, width: number, indent = ''): string[] {
  if (!Number.isFinite(width)) return [text];
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    const room = width - (lines.length === 0 ? 0 : indent.length);
    if (line !== '' && widthOf(line) + 1 + widthOf(word) > room) {
      lines.push(line);
      line = word;
    } else {
      line = line === '' ? word : `${line} ${word}`;
    }
  }
  lines.push(line);
  return lines.map((one, index) => (index === 0 ? one : indent + one));
}

/** A label and what belongs to it, wrapped beside it. */
export function labelled(label: string, text: string, width: number, column = 11): string[] {
  const [first = '', ...rest] = wrap(text, Math.max(20, width - column));
  return [label.padEnd(column) + first, ...rest.map((line) => ' '.repeat(column) + line)];
}

export function duration(ms: number): string {
  const seconds = Math.max(0, ms) / 1000;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 90) return `${seconds.toFixed(0)} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 90) return `${minutes} min`;
  const hours = Math.round(minutes / 60);
  return hours < 48 ? `${hours} h` : `${Math.round(hours / 24)} d`;
}

export const between = (from: string | undefined, to: string | number | undefined): number | undefined =>
  (from === undefined || to === undefined ? undefined : new Date(to).getTime() - Date.parse(from));

/** `1 pod`, `3 pods`. */
export const counted = (count: number, what: string) => `${count} ${what}${count === 1 ? '' : 's'}`;
