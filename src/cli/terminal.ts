import {Paint} from './render/paint.ts';

/** Where a person sits, or a script. */
export interface Terminal {
  paint: Paint;
  /** Columns; a table is not cut where nobody looks. */
  width: number;
  /** A question can be asked. */
  interactive: boolean;
  out(text: string): void;
  err(text: string): void;
  /** Takes the place of what was shown the last time. */
  redraw(text: string): void;
  ask(question: string): Promise<string>;
}

/** Colour follows https://no-color.org, and is for terminals alone. */
const hasColour = (isTTY: boolean, environment: NodeJS.ProcessEnv) =>
  isTTY && (environment['NO_COLOR'] ?? '') === '' && environment['TERM'] !== 'dumb';

class SystemTerminal implements Terminal {
  readonly paint: Paint;
  readonly interactive: boolean;
  #drawn = false;

  constructor(noColour: boolean) {
    this.paint = new Paint(!noColour && hasColour(process.stdout.isTTY, process.env));
    this.interactive = process.stdin.isTTY && process.stdout.isTTY;
  }

  get width(): number {
    return process.stdout.isTTY ? process.stdout.columns : Number.POSITIVE_INFINITY;
  }

  out(text: string): void {
    process.stdout.write(`${text}\n`);
  }

  err(text: string): void {
    process.stderr.write(`${text}\n`);
  }

  redraw(text: string): void {
    if (!process.stdout.isTTY) {
      process.stdout.write(`${this.#drawn ? '\n' : ''}${text}\n`);
    } else {
      // Home, then each line with the rest of the old one cleared, then what was below: no flicker.
      const lines = text.split('\n').slice(0, Math.max(1, process.stdout.rows - 1));
      process.stdout.write(`${this.#drawn ? '' : '\x1b[2J'}\x1b[H${lines.map((line) => `${line}\x1b[K`).join('\n')}\x1b[J\n`);
    }
    this.#drawn = true;
  }

  async ask(question: string): Promise<string> {
    const {createInterface} = await import('node:readline/promises');
    const lines = createInterface({input: process.stdin, output: process.stdout});
    try {
      return (await lines.question(question)).trim();
    } finally {
      lines.close();
    }
  }
}

export const systemTerminal = (noColour: boolean): Terminal => new SystemTerminal(noColour);
