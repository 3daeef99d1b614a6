import {setTimeout as delay} from 'node:timers/promises';

export interface WaitOptions {
  /** Seconds; default 60. */
  seconds?: number;
  /** Milliseconds between two looks; default 250. */
  every?: number;
  /** A refusal ends the wait at once: what makes it useless to wait on. */
  unless?: () => string | undefined;
}

/** What is still missing, in words. */
export class Missing {
  readonly words: string;

  constructor(words: string) {
    this.words = words;
  }
}

/** Looks until the answer is neither undefined nor `Missing`. A question that fails counts as "not yet"; the last reason is told. */
export async function until<T>(what: string, look: () => Promise<T | undefined | Missing>, options: WaitOptions = {}): Promise<T> {
  const {seconds = 60, every = 250} = options;
  const end = Date.now() + seconds * 1000;
  let last = '';
  do {
    try {
      const answer = await look();
      if (answer instanceof Missing) last = answer.words;
      else if (answer !== undefined) return answer;
    } catch (error) {
      last = error instanceof Error ? error.message : String(error);
    }
    const refusal = options.unless?.();
    if (refusal !== undefined) throw new Error(`waiting for ${what}: ${refusal}`);
    await delay(every);
  } while (Date.now() < end);
  throw new Error(`${what}: not within ${seconds} s${last === '' ? '' : `; at the end: ${last}`}`);
}

/** Looks again and again for some time, and fails as soon as it does not hold. For what must not happen. */
export async function holds(what: string, seconds: number, look: () => Promise<string | undefined>): Promise<void> {
  const end = Date.now() + seconds * 1000;
  while (Date.now() < end) {
    const broken = await look();
    if (broken !== undefined) throw new Error(`${what}: ${broken}`);
    await delay(500);
  }
}
