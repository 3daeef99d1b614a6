export type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan';

const codes: Record<Style, [number, number]> = {bold: [1, 22], dim: [2, 22], red: [31, 39], green: [32, 39], yellow: [33, 39], cyan: [36, 39]};

/** Colours where they are wanted, and the text alone where not. */
export class Paint {
  readonly #on: boolean;

  constructor(on: boolean) {
    this.#on = on;
  }

  as(style: Style, text: string): string {
    const [begin, end] = codes[style];
    return this.#on ? `\x1b[${begin}m${text}\x1b[${end}m` : text;
  }

  bold = (text: string) => this.as('bold', text);
  dim = (text: string) => this.as('dim', text);
}

export const plainPaint = new Paint(false);

const escapes = /\x1b\[[0-9;]*m/g;

/** Columns that a text takes on the screen. */
export const widthOf = (text: string) => [...text.replaceAll(escapes, '')].length;

const controls = /[\x00-\x08\x0b-\x1f\x7f-\x9f]/g;

/** An object whose texts can do nothing to a terminal: messages carry what etcd, the kubelet and others wrote. */
export function readable<T>(value: T): T {
  if (typeof value === 'string') return value.replaceAll(controls, ' ') as T;
  if (Array.isArray(value)) return value.map((one: unknown) => readable(one)) as T;
  if (typeof value === 'object' && value !== null) return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, readable<unknown>(one)])) as T;
  return value;
}
