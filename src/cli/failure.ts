/** What scripts can tell from the end of a command. Documented in docs/reference/cli.md; a number never changes its meaning. */
export const exit = {
  ok: 0,
  error: 1,
  usage: 2,
  /** A person said no, or had to be asked and nobody is there. */
  refused: 3,
  awaitingApproval: 10,
  running: 11,
  blocked: 12,
  planning: 13,
  degraded: 20,
  released: 21,
  failed: 22,
  timedOut: 23,
  notReady: 30,
} as const;

/** Ends the command: the message is all that a person needs. */
export class CommandError extends Error {
  readonly code: number;

  constructor(message: string, code: number = exit.error) {
    super(message);
    this.code = code;
  }
}

export const usageError = (message: string) => new CommandError(message, exit.usage);
