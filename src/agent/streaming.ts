import {parseArguments} from './arguments.ts';
import {snapshot} from './commands/snapshot.ts';
import {failed} from './run.ts';
import type {Outcome} from './run.ts';

/** Runs the one command that waits for a network, to its report; it does not throw. In a module of its own: the others start without http2. */
export async function runSnapshot(argv: readonly string[]): Promise<Outcome> {
  try {
    return {report: await snapshot(parseArguments(argv)), exitCode: 0};
  } catch (error) {
    return failed(argv, error);
  }
}
