import {isEtcdBinary} from './flags.ts';
import {changesMembership} from './membership-text.ts';
import {placeholder} from './placeholders.ts';
import type {ShellState} from './shell-expand.ts';
import {expandToFields, expandToString} from './shell-expand.ts';
import type {Token} from './shell-words.ts';
import {NotUnderstood, tokenize} from './shell-words.ts';

type Word = Extract<Token, {type: 'word'}>;

/** The one etcd command of a script. */
export interface ScriptCommand {
  /** Words after `etcd`. */
  words: string[];
  /** Offsets in the script: where the command begins (with its `exec`), and where its last word ends. */
  start: number;
  end: number;
  /** Variables that etcd gets from the script: exported, or set in front of the command. */
  exported: Map<string, string>;
  /** True where the script changed directory, so that relative paths are not known. */
  movedDirectory: boolean;
}

/** Commands that change nothing which etcd's start depends on. */
const harmless = new Set([
  ':', 'true', 'false', 'echo', 'printf', 'sleep', 'test', '[', '[[', 'nslookup', 'getent', 'host', 'dig', 'ping', 'nc', 'date', 'mkdir', 'chmod',
  'chown', 'ulimit', 'umask', 'cat', 'ls', 'id', 'whoami', 'hostname', 'sync', 'seq', 'expr', 'break', 'continue', 'grep', 'tee', 'wait', 'exit',
]);
const opens = new Set(['if', 'for', 'while', 'until']);
const closes = new Set(['fi', 'done']);
const betweens = new Set(['then', 'else', 'elif', 'do', '!']);
const declarations = new Set(['export', 'readonly', 'local', 'declare', 'typeset']);
const beyond = new Set(['case', 'select', 'function', '{', '}', 'eval', 'source', '.', 'trap', 'shift', 'alias']);

/**
 * Finds the etcd command in a script and what its words expand to. Loops and conditions before it are stepped over as
 * long as they only wait: what they assign counts as unknown. Everything else is `NotUnderstood`, not guessed.
 */
export function readScript(script: string, state: ShellState): ScriptCommand {
  const change = changesMembership(script);
  if (change !== undefined) throw new NotUnderstood(change);
  const reader = new Reader(script, state);
  const found = reader.read();
  if (found === undefined) throw new NotUnderstood('no etcd command in the script');
  return found;
}

class Reader {
  readonly #script: string;
  readonly #state: ShellState;
  readonly #exportedNames = new Set<string>();
  #depth = 0;
  /** The command before this one ended in `&&`, `||` or `|`: what this one sets may not be set. */
  #chained = false;
  #moved = false;
  #found: ScriptCommand | undefined;

  constructor(script: string, state: ShellState) {
    this.#script = script;
    this.#state = state;
  }

  read(): ScriptCommand | undefined {
    for (const {words, ending} of simpleCommands(this.#script)) {
      if (words.length === 0) continue;
      this.#command(words, ending);
      if (this.#done) break;
      this.#chained = ['&&', '||', '|'].includes(ending);
    }
    return this.#found;
  }

  get #uncertain(): boolean {
    return this.#depth > 0 || this.#chained;
  }

  /** After `exec etcd` nothing of the script runs any more. */
  get #done(): boolean {
    return this.#found !== undefined && /^exec\b/.test(this.#script.slice(this.#found.start));
  }

  #command(words: Word[], ending: string): void {
    let rest = words;
    while (rest[0] !== undefined) {
      const first = rest[0].source;
      if (opens.has(first)) {
        this.#depth += 1;
        if (first === 'for') {
          this.#poison(rest[1]?.source ?? '', rest[0]);
          return;
        }
      } else if (closes.has(first)) {
        this.#depth -= 1;
      } else if (!betweens.has(first)) {
        break;
      }
      rest = rest.slice(1);
    }
    if (rest.length > 0) this.#simple(rest, ending);
  }

  #simple(words: Word[], ending: string): void {
    const assigned = new Map<string, string>();
    let index = 0;
    for (; index < words.length; index += 1) {
      const word = words[index];
      const assignment = word === undefined ? undefined : assignmentOf(word, this.#state);
      if (word === undefined || assignment === undefined) break;
      assigned.set(assignment.name, this.#uncertain ? placeholder(word.source) : assignment.value);
    }
    const [first, ...others] = words;
    if (first === undefined) return;
    const command = words.slice(index);
    if (command.length === 0) {
      for (const [name, value] of assigned) this.#assign(name, value);
      return;
    }
    this.#run([first, ...others], command, assigned, ending);
  }

  #run(words: [Word, ...Word[]], command: Word[], assigned: Map<string, string>, ending: string): void {
    const {start} = words[0];
    const end = words.at(-1)?.end ?? start;
    const fragment = this.#script.slice(start, end);
    const fields = command.flatMap(word => expandToFields(word.parts, this.#state));
    const [name = '', ...rest] = unwrap(fields, assigned);
    if (isEtcdBinary(name)) {
      if (this.#depth > 0 || this.#found !== undefined || ['&', '||'].includes(ending)) throw new NotUnderstood(fragment);
      const exported = new Map([...this.#exportedVariables(), ...assigned]);
      this.#found = {words: rest, start, end, exported, movedDirectory: this.#moved};
    } else if (beyond.has(name)) {
      throw new NotUnderstood(fragment);
    } else {
      this.#other({name, command, fields, fragment});
    }
  }

  #other({name, command, fields, fragment}: {name: string; command: Word[]; fields: string[]; fragment: string}): void {
    if (declarations.has(name)) this.#declare(name, command.slice(1), fragment);
    else if (name === 'unset') this.#unset(fields.slice(1));
    else if (name === 'read') fields.slice(1).forEach(variable => { this.#poison(variable, command[0]); });
    else if (name === 'set') checkOptions(fields.slice(1), fragment);
    else if (name === 'cd') this.#moved = true;
    else if (!harmless.has(name) || (name === 'exit' && this.#depth === 0)) throw new NotUnderstood(fragment);
  }

  #unset(names: string[]): void {
    for (const name of names) {
      this.#state.variables.delete(name);
      this.#exportedNames.delete(name);
    }
  }

  #declare(command: string, words: Word[], fragment: string): void {
    for (const word of words) {
      const assignment = assignmentOf(word, this.#state);
      if (assignment === undefined && !/^[A-Za-z_]\w*$/.test(word.source)) throw new NotUnderstood(fragment);
      const name = assignment?.name ?? word.source;
      if (assignment !== undefined) this.#assign(name, this.#uncertain ? placeholder(word.source) : assignment.value);
      if (command === 'export') this.#exportedNames.add(name);
    }
  }

  /** An assignment to a variable of the container's environment reaches etcd, too. */
  #assign(name: string, value: string): void {
    const inherited = this.#state.variables.has(name) && /^ETCD_/.test(name);
    if (inherited) this.#exportedNames.add(name);
    this.#state.variables.set(name, value);
  }

  #exportedVariables(): Map<string, string> {
    const names = [...this.#exportedNames].filter(name => this.#state.variables.has(name));
    return new Map(names.map(name => [name, this.#state.variables.get(name) ?? '']));
  }

  #poison(name: string, by: Word | undefined): void {
    if (/^[A-Za-z_]\w*$/.test(name)) this.#state.variables.set(name, placeholder(`${by?.source ?? ''} ${name}`));
  }
}

/** `set -e` and the like change nothing here; `set -- words` changes `$1`. */
function checkOptions(words: string[], fragment: string): void {
  if (words.some(word => !/^([-+][A-Za-z]+|pipefail|errexit|nounset|xtrace)$/.test(word))) throw new NotUnderstood(fragment);
}

const redirections = new Set(['>', '>>', '<', '>&', '<&', '&>']);

/** The script as lists of words, each with the operator that ends it; redirections are left out. */
function simpleCommands(script: string): {words: Word[]; ending: string}[] {
  const commands: {words: Word[]; ending: string}[] = [];
  let words: Word[] = [];
  let redirecting = false;
  for (const token of tokenize(script)) {
    if (token.type === 'word') {
      if (!redirecting) words.push(token);
      redirecting = false;
    } else if (redirections.has(token.text)) {
      redirecting = true;
      const last = words.at(-1);
      if (last?.end === token.start && /^\d$/.test(last.source)) words.pop();
    } else if (['(', ')', ';;'].includes(token.text)) {
      throw new NotUnderstood(script.slice(script.lastIndexOf('\n', token.start - 1) + 1));
    } else {
      commands.push({words, ending: token.text});
      words = [];
    }
  }
  return [...commands, {words, ending: '\n'}];
}

function assignmentOf(word: Word, state: ShellState): {name: string; value: string} | undefined {
  const first = word.parts[0];
  if (first?.type !== 'text' || first.quoted) return undefined;
  const match = /^([A-Za-z_]\w*)(\+?)=([\s\S]*)$/.exec(first.text);
  if (match?.[1] === undefined) return undefined;
  const before = match[2] === '+' ? state.variables.get(match[1]) ?? '' : '';
  const rest: typeof word.parts = [{type: 'text', text: match[3] ?? '', quoted: false}, ...word.parts.slice(1)];
  return {name: match[1], value: before + expandToString(rest, state)};
}

/** Steps over `exec`, `command` and `env NAME=value`. */
function unwrap(fields: string[], assigned: Map<string, string>): string[] {
  let rest = fields;
  while (rest[0] === 'exec' || rest[0] === 'command' || rest[0] === 'env') {
    const env = rest[0] === 'env';
    rest = rest.slice(1);
    for (;;) {
      const match = env ? /^([A-Za-z_]\w*)=([\s\S]*)$/.exec(rest[0] ?? '') : null;
      if (match?.[1] === undefined) break;
      assigned.set(match[1], match[2] ?? '');
      rest = rest.slice(1);
    }
  }
  return rest;
}
