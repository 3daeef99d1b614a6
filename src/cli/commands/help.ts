import {isCommand} from '../commands.ts';
import {exit, usageError} from '../failure.ts';
import {commandHelp, mainHelp} from '../help.ts';
import type {Invocation, World} from '../world.ts';

export function run({positionals: [name]}: Invocation, {terminal}: World): Promise<number> {
  if (name !== undefined && !isCommand(name)) return Promise.reject(usageError(`There is no command ${JSON.stringify(name)}`));
  terminal.out(name === undefined ? mainHelp() : commandHelp(name));
  return Promise.resolve(exit.ok);
}
