import {parseWords, splitCommand} from './arguments.ts';
import {commandOf, isCommand} from './commands.ts';
import {CommandError, exit} from './failure.ts';
import {commandHelp, mainHelp} from './help.ts';
import type {HttpApi} from './kube/http.ts';
import {systemTerminal} from './terminal.ts';
import type {Invocation, Session, World} from './world.ts';
import {flag, text} from './world.ts';

/** Connects once, at the first question. */
function connector(invocation: Invocation): {session: () => Promise<Session>; close: () => void} {
  let made: Promise<Session> | undefined;
  let open: HttpApi | undefined;
  const connect = async (): Promise<Session> => {
    const [{connectionOf}, {HttpApi: Http}] = await Promise.all([import('./kube/kubeconfig.ts'), import('./kube/http.ts')]);
    const connection = await connectionOf({
      kubeconfig: text(invocation, 'kubeconfig'), context: text(invocation, 'context'), namespace: text(invocation, 'namespace'), server: text(invocation, 'server'),
    });
    open = new Http(connection);
    return {api: open, namespace: connection.namespace};
  };
  return {session: () => (made ??= connect()), close: () => { open?.close(); }};
}

async function run(words: readonly string[]): Promise<number> {
  const {command, rest} = splitCommand(words);
  const quiet = words.includes('--no-color');
  if (command === undefined) {
    const unknown = rest.find((word) => word.startsWith('-') && !['-h', '--help', '--no-color'].includes(word));
    if (unknown !== undefined) parseWords('help', rest, {}, 0);
    systemTerminal(quiet).out(mainHelp());
    return exit.ok;
  }
  if (command === '__complete') return await (await import('./complete.ts')).complete(words.slice(words.indexOf(command) + 1));
  if (!isCommand(command)) throw new CommandError(`There is no command ${JSON.stringify(command)} (kubectl quorum-recovery help)`, exit.usage);
  const entry = commandOf(command);
  if (rest.includes('--help') || rest.includes('-h')) {
    systemTerminal(quiet).out(commandHelp(command));
    return exit.ok;
  }
  const invocation = parseWords(command, rest, entry.options, entry.takes.length);
  const connection = connector(invocation);
  const world: World = {
    terminal: systemTerminal(flag(invocation, 'no-color')), now: () => Date.now(), sleep: async (ms) => { await new Promise((resolve) => { setTimeout(resolve, ms); }); }, session: connection.session,
  };
  try {
    return await (await entry.load()).run(invocation, world);
  } finally {
    connection.close();
  }
}

/** Runs one command line. Whatever goes wrong ends in a sentence on standard error and an exit code, never in a stack. */
export async function runCli(words: readonly string[]): Promise<number> {
  // A reader that had enough (head, less) is no failure.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => { process.exit(error.code === 'EPIPE' ? exit.ok : exit.error); });
  try {
    return await run(words);
  } catch (error) {
    if (error instanceof CommandError) {
      process.stderr.write(`${error.message}\n`);
      return error.code;
    }
    const {explain} = await import('./explain.ts');
    process.stderr.write(`${explain(error)}\n`);
    return exit.error;
  }
}
