import {CommandError, exit} from './failure.ts';
import type {Invocation, World} from './world.ts';
import {flag} from './world.ts';

/** Asks a person, unless --yes; where nobody can be asked it is a no. */
export async function confirm(invocation: Invocation, {terminal}: World, question: string): Promise<void> {
  if (flag(invocation, 'yes')) return;
  if (!terminal.interactive) throw new CommandError(`${question} Nobody can be asked here: add --yes.`, exit.refused);
  const answer = await terminal.ask(`${question} [y/N] `);
  if (!/^y(es)?$/i.test(answer)) throw new CommandError('Nothing was changed.', exit.refused);
}

/** For what --yes must not answer: the word itself has to be typed, or given by its own option. */
export async function confirmWord({terminal}: World, question: string, word: string, option: string): Promise<void> {
  if (!terminal.interactive) throw new CommandError(`${question}\nNobody can be asked here, and --yes does not answer this: add ${option} if you are sure.`, exit.refused);
  const answer = await terminal.ask(`${question}\nType ${word} to go on: `);
  if (answer !== word) throw new CommandError('Nothing was changed.', exit.refused);
}
