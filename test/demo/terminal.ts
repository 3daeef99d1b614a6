const coloured = process.stdout.isTTY && process.env['NO_COLOR'] === undefined;
const paint = (code: number, text: string): string => (coloured ? `\u001b[${code}m${text}\u001b[0m` : text);

export const bold = (text: string): string => paint(1, text);
export const green = (text: string): string => paint(32, text);
export const red = (text: string): string => paint(31, text);
export const dim = (text: string): string => paint(2, text);

const begin = Date.now();

/** Seconds between two times in milliseconds, as it is shown. */
export const seconds = (from: number, to = Date.now()): string => ((to - from) / 1000).toFixed(1);

/** One line with the seconds since the start. */
export function say(line: string): void {
  console.log(`${dim(`[${seconds(begin).padStart(6)} s]`)} ${line}`);
}

/** What begins now. */
export function heading(line: string): void {
  console.log('');
  say(bold(line));
}

/** Something that was printed by a command, moved to the right. */
export function show(text: string): void {
  console.log(text.trimEnd().split('\n').map((line) => `             ${line}`).join('\n'));
}

/** Runs something that takes time, and says how long it took. */
export async function timed<T>(what: string, work: () => Promise<T>): Promise<T> {
  const from = Date.now();
  const result = await work();
  say(`${what} ${dim(`(${seconds(from)} s)`)}`);
  return result;
}
