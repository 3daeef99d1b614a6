import {parseArguments, isCommand} from './arguments.ts';
import type {Arguments} from './arguments.ts';
import {copy} from './commands/copy.ts';
import {inspect} from './commands/inspect.ts';
import {seal, spend} from './commands/marker.ts';
import {prepareForce} from './commands/prepare-force.ts';
import {prepareJoin} from './commands/prepare-join.ts';
import {prune} from './commands/prune.ts';
import {restoreCopyCommand} from './commands/restore-copy.ts';
import {prepareSeed, seed} from './commands/seed.ts';
import {setAsideCommand} from './commands/set-aside.ts';
import {errorCode, Refusal} from './failure.ts';
import type {AgentFailure, AgentReport, AgentSuccessReport, DumpCommand, StoreCommand, VolumeCommand} from './report.ts';

/** Told before each system call that changes the volume. */
export type OnStep = (what: string) => void;

export interface Outcome {
  report: AgentReport;
  /** 0 done, 1 refused or failed, 2 bad usage. */
  exitCode: 0 | 1 | 2;
}

/** Those that need a network and packages: see store/main.ts. */
export const isStoreCommand = (word: string | undefined): word is StoreCommand => word === 'store-list' || word === 'store-fetch' || word === 'store-save';

/** Those on a dump of keys and values: see dump/main.ts. */
export const isDumpCommand = (word: string | undefined): word is DumpCommand => word === 'dump-check' || word === 'dump-load' || word === 'dump-compare';

/** Those that only work on the volume; `snapshot` waits for a network: see streaming.ts. So does `prepare-seed` of a snapshot in a store: see store/seeding.ts. */
const commands: Record<Exclude<VolumeCommand, 'snapshot'>, (args: Arguments, onStep?: OnStep) => AgentSuccessReport> = {
  inspect,
  copy,
  spend,
  seal,
  'set-aside': setAsideCommand,
  'prepare-join': prepareJoin,
  'prepare-force': prepareForce,
  'restore-copy': restoreCopyCommand,
  'prepare-seed': prepareSeed,
  seed,
  prune,
};

/** Runs one command; refusals and failed system calls are thrown. */
export function runCommand(args: Arguments, onStep?: OnStep): AgentSuccessReport {
  if (args.command === 'snapshot') {
    throw new Refusal('BadUsage', 'snapshot is no command of this entry.');
  }
  if (args.command === 'prepare-seed' && args.name !== undefined) {
    throw new Refusal('BadUsage', 'prepare-seed of a snapshot in a store is no command of this entry.');
  }
  return commands[args.command](args, onStep);
}

/** Runs one command line to its report; it does not throw. */
export function runAgent(argv: readonly string[]): Outcome {
  try {
    return {report: runCommand(parseArguments(argv)), exitCode: 0};
  } catch (error) {
    return failed(argv, error);
  }
}

/** What a command that threw is reported as. */
export function failed(argv: readonly string[], error: unknown): Outcome {
  const report = failureReport(argv, error);
  return {report, exitCode: report.reason === 'BadUsage' ? 2 : 1};
}

function failureReport(argv: readonly string[], error: unknown): AgentFailure {
  const [command] = argv;
  const run = argv[argv.indexOf('--run') + 1];
  const head = {
    ok: false as const,
    command: isCommand(command) || isStoreCommand(command) || isDumpCommand(command) ? command : 'inspect' as const,
    ...(argv.includes('--run') && run !== undefined ? {run: run.slice(0, 63)} : {}),
  };
  if (error instanceof Refusal) {
    return {...head, reason: error.reason, message: error.message, ...error.details};
  }
  if (errorCode(error) !== undefined) {
    return {...head, reason: 'IOError', message: (error as Error).message};
  }
  return {...head, reason: 'Internal', message: error instanceof Error ? (error.stack ?? error.message) : String(error)};
}
