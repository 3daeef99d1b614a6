import {mkdirSync, writeFileSync} from 'node:fs';
import {dirname, join} from 'node:path';

/** One loss of a quorum, and what each way of forcing the survivor made of it. */
export interface LossRun {
  run: number;
  /** How the survivor ended: SIGKILL at the same instant as the other two, or SIGTERM `afterMs` later. */
  signal: 'SIGKILL' | 'SIGTERM';
  afterMs: number;
  /** Between two members, each way. */
  delayMs: number;
  /** What was on its way between members at the kill was lost. */
  cut: boolean;
  /** Writes that a member had answered. */
  acknowledged: number;
  /** Of these, writes that never reached the survivor's disk: nobody can bring them back from there. */
  notOnSurvivor: number;
  /** Of those that its disk held. */
  lostByPlainForce: number;
  /** Of these, writes that the survivor itself had answered. */
  lostThoughSurvivorAnswered: number;
  lostByOperator: number;
  /** Entries of the log that the forced etcd says it dropped. */
  discardedByPlainForce: number;
  discardedByOperator: number;
  /** Entries that the agent committed. */
  tailEntries: number;
  /** The survivor's last record was cut off. */
  torn: boolean;
  /** Entries of the survivor's log that a later leader had replaced. */
  replaced: number;
}

const file = join(import.meta.dirname, '..', 'results', 'loss.json');

export function writeLossRuns(runs: readonly LossRun[]): void {
  mkdirSync(dirname(file), {recursive: true});
  writeFileSync(file, `{"runs": [\n${runs.map((run) => `  ${JSON.stringify(run)}`).join(',\n')}\n]}\n`);
}

export const sum = (runs: readonly LossRun[], of: (run: LossRun) => number): number => runs.reduce((total, run) => total + of(run), 0);

const columns: readonly {title: string; of: (runs: readonly LossRun[]) => number}[] = [
  {title: 'runs', of: (runs) => runs.length},
  {title: 'acknowledged writes', of: (runs) => sum(runs, (run) => run.acknowledged)},
  {title: 'lost by plain force', of: (runs) => sum(runs, (run) => run.lostByPlainForce)},
  {title: 'runs with such a loss', of: (runs) => runs.filter((run) => run.lostByPlainForce > 0).length},
  {title: 'most in one run', of: (runs) => Math.max(0, ...runs.map((run) => run.lostByPlainForce))},
  {title: 'lost by the operator', of: (runs) => sum(runs, (run) => run.lostByOperator)},
  {title: 'log entries dropped after its preparation', of: (runs) => sum(runs, (run) => run.discardedByOperator)},
  {title: 'never on the survivor\'s disk', of: (runs) => sum(runs, (run) => run.notOnSurvivor)},
];

const groups: readonly {title: string; has: (run: LossRun) => boolean}[] = [
  {title: 'killed with the other two, no delay', has: (run) => run.signal === 'SIGKILL' && run.delayMs === 0},
  {title: 'killed with the other two, 5 to 20 ms between members', has: (run) => run.signal === 'SIGKILL' && run.delayMs > 0},
  {title: 'stopped cleanly after them, no delay', has: (run) => run.signal === 'SIGTERM' && run.delayMs === 0},
  {title: 'stopped cleanly after them, 5 to 20 ms between members', has: (run) => run.signal === 'SIGTERM' && run.delayMs > 0},
  {title: 'all', has: () => true},
];

/** A Markdown table: a line for each way in which the survivor ended. */
export function lossTable(runs: readonly LossRun[]): string {
  const rows = groups.map(({title, has}) => [title, ...columns.map(({of}) => of(runs.filter(has)).toLocaleString('en'))]);
  const lines = [['the survivor was', ...columns.map(({title}) => title)], ['---', ...columns.map(() => '---:')], ...rows];
  return lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}
