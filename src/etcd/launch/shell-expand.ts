import {placeholder, podIPPlaceholder} from './placeholders.ts';
import type {Part} from './shell-words.ts';
import {NotUnderstood, tokenize} from './shell-words.ts';

/** What a script knows when it runs. A value may hold `<fragment>` where it could not be told. */
export interface ShellState {
  variables: Map<string, string>;
  /** `$1`, `$2`, ... */
  positional: string[];
  hostname: string;
  /** The pod's DNS domain, e.g. etcd.db.svc.cluster.local; undefined where the Service is not known. */
  domain: string | undefined;
}

/** A word as one string, without field splitting: the right-hand side of an assignment. */
export function expandToString(parts: readonly Part[], state: ShellState): string {
  return parts.map(part => partValue(part, state)).join('');
}

/** A word as the shell's fields: what stands unquoted is split at blanks, and `"$@"` is as many words as there are. */
export function expandToFields(parts: readonly Part[], state: ShellState): string[] {
  const fields: string[] = [];
  let current: string | undefined;
  const append = (text: string): void => { current = (current ?? '') + text; };
  const finish = (): void => {
    if (current !== undefined) fields.push(current);
    current = undefined;
  };
  for (const part of parts) {
    if (part.type === 'variable' && part.name === '@' && part.quoted) {
      state.positional.forEach((value, index) => {
        if (index > 0) finish();
        append(value);
      });
    } else if (part.type === 'text' || part.quoted) {
      const value = partValue(part, state);
      if (value !== '' || !onlyPositional(parts)) append(value);
    } else {
      split(partValue(part, state), append, finish);
    }
  }
  finish();
  return fields;
}

/** The empty quotes around `"$@"` make no word of their own. */
function onlyPositional(parts: readonly Part[]): boolean {
  return parts.some(part => part.type === 'variable' && part.name === '@');
}

function split(value: string, append: (text: string) => void, finish: () => void): void {
  // What could not be told stays in one piece, whatever stands in it.
  const pieces = value.match(/<[^<>]*>|[ \t\n]+|[^ \t\n<]+|</g) ?? [];
  for (const piece of pieces) {
    if (/^[ \t\n]/.test(piece)) finish();
    else append(piece);
  }
}

function partValue(part: Part, state: ShellState): string {
  if (part.type === 'text') return part.text;
  return part.type === 'command' ? commandValue(part.source, state) : variableValue(part, state);
}

function commandValue(source: string, state: ShellState): string {
  const unknown = placeholder(`$(${source})`);
  const match = /^(?:\/?(?:usr\/)?bin\/)?hostname(?:\s+(-s|--short|-f|--fqdn|--long|-d|--domain|-i|--ip-address|-I))?$/.exec(source);
  if (match === null) return /^echo\s+-n\s|^echo\s/.test(source) ? echoValue(source, state) ?? unknown : unknown;
  const option = match[1] ?? '-s';
  if (option === '-s' || option === '--short') return state.hostname;
  if (/^-(i|I|-ip)/.test(option)) return podIPPlaceholder;
  if (state.domain === undefined) return unknown;
  return option === '-d' || option === '--domain' ? state.domain : `${state.hostname}.${state.domain}`;
}

function echoValue(source: string, state: ShellState): string | undefined {
  const tokens = tokenize(source);
  const words = tokens.flatMap(token => (token.type === 'word' ? [token] : []));
  if (words.length !== tokens.length) return undefined;
  return words.flatMap(word => expandToFields(word.parts, state)).slice(1).filter(word => word !== '-n').join(' ');
}

function variableValue(part: Variable, state: ShellState): string {
  const {name, operator, operand} = part;
  const value = lookUp(name, state);
  const isSet = value !== undefined && !(operator.startsWith(':') && value === '');
  if (operator === '') return value ?? '';
  if (/[#%]/.test(operator)) return trim(value ?? '', operator, operandValue(operand, state));
  return isSet ? ifSet(value, part, state) : ifUnset(part, state);
}

type Variable = Extract<Part, {type: 'variable'}>;

function ifSet(value: string, {operator, operand}: Variable, state: ShellState): string {
  return operator.endsWith('+') ? operandValue(operand, state) : value;
}

function ifUnset({name, operator, operand}: Variable, state: ShellState): string {
  if (operator.endsWith('+')) return '';
  if (operator.endsWith('?')) throw new NotUnderstood(`\${${name}${operator}${operand}}`);
  const value = operandValue(operand, state);
  if (operator.endsWith('=')) state.variables.set(name, value);
  return value;
}

function lookUp(name: string, state: ShellState): string | undefined {
  if (name === '@' || name === '*') return state.positional.join(' ');
  if (/^[1-9]\d*$/.test(name)) return state.positional[Number(name) - 1];
  if (/^[#?$!0-]$/.test(name)) return placeholder(`$${name}`);
  return state.variables.get(name);
}

function operandValue(operand: string, state: ShellState): string {
  const unquoted = operand.trim();
  if (unquoted === '') return operand;
  return tokenize(operand).map(token => (token.type === 'word' ? expandToString(token.parts, state) : token.text)).join(' ');
}

/** `#`, `##`, `%`, `%%` with `*` and `?` as the only patterns. */
function trim(value: string, operator: string, pattern: string): string {
  if (value.includes('<')) return placeholder(`\${${value}${operator}${pattern}}`);
  if (/[[\]]/.test(pattern)) throw new NotUnderstood(`${operator}${pattern}`);
  const expression = pattern.replaceAll(/[.+^${}()|\\]/g, '\\$&').replaceAll('?', '.').replaceAll('*', '.*');
  const whole = new RegExp(`^(?:${expression})$`, 's');
  const prefixes = operator.startsWith('#');
  const lengths = Array.from({length: value.length + 1}, (_, length) => length);
  if (operator.length === 2) lengths.reverse();
  const found = lengths.find(length => whole.test(prefixes ? value.slice(0, length) : value.slice(value.length - length)));
  if (found === undefined) return value;
  return prefixes ? value.slice(found) : value.slice(0, value.length - found);
}
