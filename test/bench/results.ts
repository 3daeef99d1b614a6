import {existsSync, mkdirSync, readFileSync, writeFileSync} from 'node:fs';
import {dirname, join} from 'node:path';
import {cpus, totalmem} from 'node:os';
import {z} from 'zod';

const runSchema = z.object({
  side: z.enum(['operator', 'runbook']),
  /** Size of the database file before the loss, in 10^6 bytes. */
  databaseMB: z.number(),
  /** From the start of the recovery to the first write that an own pod accepted: the survivor's; after a restore any. */
  writableSeconds: z.number(),
  /** From the start of the recovery to three voters in pods of the StatefulSet, with equal hashes. */
  redundantSeconds: z.number(),
  keysLost: z.int(),
  /** Of a restore by the operator: from the request to the plan, which is approved in the moment that it stands. */
  plannedSeconds: z.number().optional(),
});
export type Run = z.infer<typeof runSchema>;
export type Side = Run['side'];
export const sides: readonly Side[] = ['operator', 'runbook'];

/** What can be measured; each has a file of its own. */
export const parts = ['recovery', 'restore'] as const;
export type Part = (typeof parts)[number];

const fileOf = (part: Part): string => join(import.meta.dirname, 'results', `${part}.json`);

/** Every run that was kept; those of another database size stay when one size is measured again. */
export function readRuns(part: Part): Run[] {
  const file = fileOf(part);
  return existsSync(file) ? z.object({runs: z.array(runSchema)}).parse(JSON.parse(readFileSync(file, 'utf8'))).runs : [];
}

/** Puts these runs of one size in the place of its earlier ones. */
export function keepRuns(part: Part, runs: readonly Run[]): void {
  const sizes = runs.map(({databaseMB}) => databaseMB);
  const all = [...readRuns(part).filter(({databaseMB}) => !sizes.includes(databaseMB)), ...runs].sort((a, b) => a.databaseMB - b.databaseMB);
  const file = fileOf(part);
  mkdirSync(dirname(file), {recursive: true});
  writeFileSync(file, `{"runs": [\n${all.map((run) => `  ${JSON.stringify(run)}`).join(',\n')}\n]}\n`);
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
/** The same without the time in which the operator plans, and the runbook has nothing to ask for. */
const approvedMeasures = measures.map(({title, of}) => ({title: `${title}, from the approval`, of: (run: Run): number => of(run) - (run.plannedSeconds ?? 0)}));

/** A Markdown table of one database size: seconds, and how many times as long the runbook takes. */
export function table(runs: readonly Run[], databaseMB: number): string {
  const of = (side: Side): Run[] => runs.filter((run) => run.side === side && run.databaseMB === databaseMB);
  const isApproved = of('operator').some(({plannedSeconds}) => plannedSeconds !== undefined);
  const rows = [...measures, ...(isApproved ? approvedMeasures : [])].flatMap(({title, of: value}) => sides.map((side) => {
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
