/**
 * Entry of the volume agent: `node dist/agent/main.js COMMAND --root DIR --run ID ...`.
 * It starts in the critical path of a recovery, so nothing but node's own modules and the small files of this folder is loaded.
 */
import {writeFileSync} from 'node:fs';
import {fitReport} from './fit.ts';
import {isDumpCommand, isStoreCommand, runAgent} from './run.ts';
import type {Outcome} from './run.ts';
import {awaitTurn, withoutTurn} from './turn.ts';

// The first process of a container has no default action for signals: without this a waiting agent would sit out its grace period.
process.once('SIGTERM', () => { process.exit(143); });
const {report, exitCode} = await run(process.argv.slice(2));
const text = fitReport(report);
try {
  writeFileSync(process.env.AGENT_REPORT_PATH ?? '/dev/termination-log', text);
} catch (error) {
  // Outside a container there is no such file; stdout, and with it the pod's log, still has the report.
  process.stderr.write(`The report was not written to the termination message path: ${(error as Error).message}\n`);
}
process.stdout.write(`${text}\n`);
process.exitCode = exitCode;

async function run(given: readonly string[]): Promise<Outcome> {
  // Before the turn, while all can still be let go: nobody has to leave the snapshot alone for as long as the others take.
  const changed = given[0] === 'seed' && given.includes('--in-place') ? await (await import('./store/seeding.ts')).changedSince(withoutTurn(given), process.env) : undefined;
  if (changed !== undefined) return changed;
  const argv = await awaitTurn(given);
  const [command] = argv;
  if (command === 'prepare-seed' && argv.includes('--name')) return await (await import('./store/seeding.ts')).runPrepareSeed(argv, process.env);
  if (command === 'snapshot') return await (await import('./streaming.ts')).runSnapshot(argv);
  if (isStoreCommand(command)) return await (await import('./store/main.ts')).runStore(argv, process.env);
  if (isDumpCommand(command)) return await (await import('./dump/main.ts')).runDump(argv);
  return runAgent(argv);
}
