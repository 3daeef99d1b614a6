import {existsSync, mkdirSync, readFileSync, writeFileSync} from 'node:fs';
import {dirname, join} from 'node:path';
import {z} from 'zod';

const pointSchema = z.object({
  clusters: z.int(),
  namespaces: z.int(),
  /** The highest that was seen while all was well. */
  rssMiB: z.number(),
  /** CPU time by wall time while all was well. */
  cores: z.number(),
  /** From the start of the process to its readiness. */
  readySeconds: z.number(),
  /** From readiness to the moment when every cluster had a witness. */
  wholeSeconds: z.number(),
  /** The longest time for which no member of some cluster was asked for its status, and how much of it is beyond the interval of 30 s. */
  askedSeconds: z.number(),
  lagSeconds: z.number(),
  /** Open connections to members, and watches on them, at the end of that time. */
  connections: z.int(),
  streams: z.int(),
  callsPerSecond: z.number(),
  connectsPerSecond: z.number(),
  /** From the end of two members to the suspicion in the status, one cluster after the other: the longest and the median. */
  suspectedSeconds: z.number(),
  suspectedMedianSeconds: z.number(),
  /** The same where the two went without a word; null: packets could not be made to vanish. */
  silentSeconds: z.number().nullable(),
  silentMedianSeconds: z.number().nullable(),
  /** The same with `lostTogether` of them lost at the same moment, the last of them. */
  suspectedTogetherSeconds: z.number(),
  lostTogether: z.int(),
  /** The machine's load average of the last minute of the measurement. */
  load: z.number(),
});
export type Point = z.infer<typeof pointSchema>;

const file = join(import.meta.dirname, '..', 'results', 'scale.json');

/** What was kept; points that were measured in another way, before this one, are none. */
export function readPoints(): Point[] {
  if (!existsSync(file)) return [];
  const {points} = z.object({points: z.array(z.unknown())}).parse(JSON.parse(readFileSync(file, 'utf8')));
  return points.flatMap((point) => pointSchema.safeParse(point).data ?? []);
}

export function writePoints(points: readonly Point[]): void {
  mkdirSync(dirname(file), {recursive: true});
  writeFileSync(file, `{"points": [\n${points.map((point) => `  ${JSON.stringify(point)}`).join(',\n')}\n]}\n`);
}

/** The longest, and the median in brackets. */
const both = (worst: number | null, median: number | null): string => (worst === null || median === null ? 'not measured' : `${worst.toFixed(1)} (${median.toFixed(1)})`);

/** A Markdown table, one row for each number of clusters. */
export function table(points: readonly Point[]): string {
  const rows = points.map((point) => [
    String(point.clusters), String(point.rssMiB), point.cores.toFixed(3), point.readySeconds.toFixed(1), point.wholeSeconds.toFixed(0),
    both(point.suspectedSeconds, point.suspectedMedianSeconds), both(point.silentSeconds, point.silentMedianSeconds),
    `${point.suspectedTogetherSeconds.toFixed(1)} (${point.lostTogether})`, point.lagSeconds.toFixed(1), String(point.connections), point.load.toFixed(1),
  ]);
  const head = ['clusters', 'resident, MiB', 'cores', 'ready, s', 'first round, s', 'loss suspected, s', 'silent loss, s', 'together, s', 'probe lag, s', 'connections', 'load'];
  return [head, head.map(() => '---:'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}
