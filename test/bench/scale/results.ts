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
  /** The longest time for which no member of some cluster was asked for its status. */
  lagSeconds: z.number(),
  /** Open connections to members, and watches on them, at the end of that time. */
  connections: z.int(),
  streams: z.int(),
  callsPerSecond: z.number(),
  connectsPerSecond: z.number(),
  /** From the end of two members to the suspicion in the status, with one cluster lost. */
  suspectedSeconds: z.number(),
  /** The same with `lostTogether` of them lost at the same moment, the last of them. */
  suspectedTogetherSeconds: z.number(),
  lostTogether: z.int(),
  /** The machine's load average of the last minute of the measurement. */
  load: z.number(),
});
export type Point = z.infer<typeof pointSchema>;

const file = join(import.meta.dirname, '..', 'results', 'scale.json');

export function readPoints(): Point[] {
  return existsSync(file) ? z.object({points: z.array(pointSchema)}).parse(JSON.parse(readFileSync(file, 'utf8'))).points : [];
}

export function writePoints(points: readonly Point[]): void {
  mkdirSync(dirname(file), {recursive: true});
  writeFileSync(file, `{"points": [\n${points.map((point) => `  ${JSON.stringify(point)}`).join(',\n')}\n]}\n`);
}

/** A Markdown table, one row for each number of clusters. */
export function table(points: readonly Point[]): string {
  const rows = points.map((point) => [
    String(point.clusters), String(point.rssMiB), point.cores.toFixed(3), point.readySeconds.toFixed(1), point.suspectedSeconds.toFixed(1),
    `${point.suspectedTogetherSeconds.toFixed(1)} (${point.lostTogether})`, point.lagSeconds.toFixed(0), String(point.connections), point.load.toFixed(1),
  ]);
  const head = ['clusters', 'resident, MiB', 'cores', 'ready, s', 'loss suspected, s', 'together, s', 'asked at least every, s', 'connections', 'load'];
  return [head, head.map(() => '---:'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}
