import {Refusal} from '../failure.ts';
import type {AgentSuccessReport, DumpCommand} from '../report.ts';
import {failed, isDumpCommand} from '../run.ts';
import type {Outcome} from '../run.ts';
import {parseDumpArguments} from './arguments.ts';
import type {DumpArguments} from './arguments.ts';
import {dumpCheck} from './check.ts';
import {dumpCompare, dumpLoad} from './load.ts';

const commands: Record<DumpCommand, (args: DumpArguments) => Promise<AgentSuccessReport>> = {
  'dump-check': dumpCheck, 'dump-load': async (args) => await dumpLoad(args), 'dump-compare': async (args) => await dumpCompare(args),
};

/** Runs one command on a dump of keys and values, to its report; it does not throw. */
export async function runDump(argv: readonly string[]): Promise<Outcome> {
  const [command, ...rest] = argv;
  try {
    if (!isDumpCommand(command)) throw new Refusal('BadUsage', `${command ?? ''} is no command of this entry.`);
    return {report: await commands[command](parseDumpArguments(command, rest)), exitCode: 0};
  } catch (error) {
    return failed(argv, error);
  }
}
