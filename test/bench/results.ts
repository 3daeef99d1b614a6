import {existsSync, mkdirSync, readFileSync, writeFileSync} from 'node:fs';
import {dirname, join} from 'node:path';
import {cpus, totalmem} from 'node:os';
import {z} from 'zod';

const runSchema = z.object({
  side: z.enum(['operator', 'runbook']),
  /** Size of the database file before the loss, in 10^6 bytes. */
  databaseMB: z.number(),
  /** From the start of the recovery to the first write that the survivor's own pod accepted. */
  writableSeconds: z.number(),
  /** From the start of the recovery to three voters in pods of the StatefulSet, with equal hashes. */
  redundantSeconds: z.number(),
  keysLost: z.int(),
});
export type Run = z.infer<typeof runSchema>;
export type Side = Run['side'];
export const sides: readonly Side[] = ['operator', 'runbook'];

const file = join(import.meta.dirname, 'results', 'recovery.json');

/** Every run that was kept; those of another database size stay when one size is measured again. */
export function readRuns(): Run[] {
  return existsSync(file) ? z.object({runs: z.array(runSchema)}).parse(JSON.parse(readFileSync(file, 'utf8'))).runs : [];
}

export function writeRuns(runs: readonly Run[]): void {
  mkdirSync(dirname(file), {recursive: true});
  writeFileSync(file, `{"runs": [\n${runs.map((run) => `  ${JSON.stringify(run)}`).join(',\n')}\n]}\n`);
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  return ((sorted[Math.ceil(middle) - 1] ?? Number.NaN) + (sorted[Math.floor(middle)] ?? Number.NaN)) / 2;
}

const measures = [
  {title: 'first accepted write', of: (run: Run): number => run.writableSeconds},
  {title: 'three equal voters in own pods', of: (run: Run): number => run.redundantSeconds},
];

/** A Markdown table of one database size: seconds, and how many times as long the runbook takes. */
export function table(runs: readonly Run[], databaseMB: number): string {
  const of = (side: Side): Run[] => runs.filter((run) => run.side === side && run.databaseMB === databaseMB);
  const rows = measures.flatMap(({title, of: value}) => sides.map((side) => {
    const values = of(side).map(value);
    const ratio = side === 'operator' ? '' : `${(median(values) / median(of('operator').map(value))).toFixed(2)} ×`;
    return [title, side, median(values).toFixed(1), Math.min(...values).toFixed(1), Math.max(...values).toFixed(1), ratio];
  }));
  const lost = sides.map((side) => ['acknowledged writes lost, all runs', side, String(of(side).reduce((sum, run) => sum + run.keysLost, 0)), '', '', '']);
  const lines = [['seconds', 'by', 'median', 'min', 'max', 'of the operator\'s'], ['---', '---', '---:', '---:', '---:', '---:'], ...rows, ...lost];
  return lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

export function machine(): string {
  const [first] = cpus();
  return `${cpus().length} processors (${first?.model.trim() ?? 'unknown'}), ${Math.round(totalmem() / 2 ** 30)} GiB of memory`;
}

/** One line of a table: how many there were, their median, and the ends. */
export function spreadRow(title: string, values: readonly number[], digits: number): string {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (part: number) => (sorted[Math.round(part * (sorted.length - 1))] ?? Number.NaN).toFixed(digits);
  return `| ${title} | ${values.length} | ${at(0.5)} | ${at(0)} | ${at(1)} |`;
}
