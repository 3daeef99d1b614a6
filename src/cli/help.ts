import {globalOptions} from './arguments.ts';
import type {Options} from './arguments.ts';
import {commandOf, commands} from './commands.ts';
import type {CommandName} from './commands.ts';
import {table} from './render/text.ts';

const call = 'kubectl quorum-recovery';

const optionRows = (options: Options) => Object.entries(options).map(([name, {short, value, summary}]) =>
  [`  ${short === undefined ? '    ' : `-${short}, `}--${name}${value === undefined ? '' : ` ${value}`}`, summary]);

/** The first page: what there is. */
export function mainHelp(): string {
  const names = Object.keys(commands) as CommandName[];
  return [
    'Recovers etcd clusters from permanent loss of quorum, with the Quorum Recovery Operator.', '',
    `Usage: ${call} COMMAND [options]`, '', 'Commands:',
    ...table(names.map((name) => [`  ${name}`, commandOf(name).summary])), '', 'Options of every command:',
    ...table(optionRows(globalOptions)), '', `More: ${call} help COMMAND`,
  ].join('\n');
}

export function commandHelp(name: CommandName): string {
  const {summary, usage, about = [], options} = commandOf(name);
  const own = optionRows(options);
  const global = optionRows(globalOptions);
  const rows = table([...own, ...global]);
  return [
    `${summary.charAt(0).toUpperCase()}${summary.slice(1)}.`, '', `Usage: ${[call, name, usage].filter((word) => word !== '').join(' ')}`,
    ...(about.length > 0 ? ['', ...about] : []), ...(own.length > 0 ? ['', 'Options:', ...rows.slice(0, own.length)] : []),
    '', 'Options of every command:', ...rows.slice(own.length),
  ].join('\n');
}
