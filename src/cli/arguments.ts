import {parseArgs} from 'node:util';
import {usageError} from './failure.ts';
import type {OptionValue} from './world.ts';

export interface OptionSpec {
  type: 'string' | 'boolean';
  short?: string;
  /** What stands for the value in the help. */
  value?: string;
  summary: string;
  /** The only values that there are. */
  values?: readonly string[];
  multiple?: boolean;
}

export type Options = Readonly<Record<string, OptionSpec>>;

export const globalOptions = {
  'namespace': {type: 'string', short: 'n', value: 'NAMESPACE', summary: 'namespace; default: that of the kubeconfig\'s context'},
  'context': {type: 'string', value: 'CONTEXT', summary: 'context of the kubeconfig'},
  'kubeconfig': {type: 'string', value: 'FILE', summary: 'default: KUBECONFIG, else ~/.kube/config, else the pod\'s service account'},
  'server': {type: 'string', short: 's', value: 'URL', summary: 'another address of the API server, without the kubeconfig\'s credentials (kubectl proxy)'},
  'no-color': {type: 'boolean', summary: 'no colours; also by NO_COLOR, and where no terminal is'},
  'help': {type: 'boolean', short: 'h', summary: 'what this command does'},
} as const satisfies Options;

const forParser = (options: Options) => Object.fromEntries(Object.entries(options).map(([name, {type, short, multiple}]) =>
  [name, {type, ...(short !== undefined && {short}), ...(multiple === true && {multiple})}]));

/** The command is the first word that is neither an option nor an option's value, wherever it stands. */
export function splitCommand(args: readonly string[]): {command: string | undefined; rest: string[]} {
  const {tokens} = parseArgs({args: [...args], options: forParser(globalOptions), strict: false, allowPositionals: true, tokens: true});
  const first = tokens.find((token) => token.kind === 'positional');
  if (first === undefined) return {command: undefined, rest: [...args]};
  return {command: args[first.index], rest: args.filter((_, index) => index !== first.index)};
}

export interface Parsed {
  positionals: string[];
  options: Record<string, OptionValue | undefined>;
}

/** Takes a command's words apart; refuses what it does not know with a sentence. */
export function parseWords(command: string, words: readonly string[], options: Options, most: number): Parsed {
  const all: Options = {...globalOptions, ...options};
  const hint = `(kubectl quorum-recovery ${command} --help)`;
  let parsed: {values: Record<string, unknown>; positionals: string[]};
  try {
    parsed = parseArgs({args: [...words], options: forParser(all), strict: true, allowPositionals: true});
  } catch (error) {
    throw usageError(`${error instanceof Error ? error.message.split('. To specify')[0] ?? '' : String(error)} ${hint}`);
  }
  const values = parsed.values as Record<string, OptionValue | undefined>;
  for (const [name, {values: known}] of Object.entries(all)) {
    const value = values[name];
    if (known !== undefined && typeof value === 'string' && !known.includes(value)) throw usageError(`--${name} is one of ${known.join(', ')}, not ${JSON.stringify(value)} ${hint}`);
  }
  if (parsed.positionals.length > most) throw usageError(`${command} takes ${most === 0 ? 'no name' : `at most ${most === 1 ? 'one name' : `${most} names`}`}, not ${parsed.positionals.join(' ')} ${hint}`);
  return {positionals: parsed.positionals, options: values};
}

/** `90s`, `10m`, `1h30m` in milliseconds. */
export function durationOf(option: string, given: string): number {
  const units: Record<string, number> = {ms: 1, s: 1_000, m: 60_000, h: 3_600_000};
  if (!/^(\d+(ms|s|m|h))+$/.test(given)) throw usageError(`--${option} is a duration such as 90s or 10m, not ${JSON.stringify(given)}`);
  return [...given.matchAll(/(\d+)(ms|s|m|h)/g)].reduce((sum, [, count, unit]) => sum + Number(count) * (units[unit ?? ''] ?? 0), 0);
}
