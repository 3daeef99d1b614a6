/** A part of a word of the shell: text, or something that the shell replaces. */
export type Part =
  | {type: 'text'; text: string; quoted: boolean}
  /** `$NAME`, `${NAME}`, `${NAME:-word}`: operator and operand as they stand. */
  | {type: 'variable'; name: string; operator: string; operand: string; quoted: boolean}
  /** `$(...)`, backquotes, `$((...))`. */
  | {type: 'command'; source: string; quoted: boolean};

export type Token =
  | {type: 'word'; parts: Part[]; start: number; end: number; source: string}
  | {type: 'operator'; text: string; start: number; end: number};

/** A piece of a script that is beyond this reader. */
export class NotUnderstood extends Error {
  readonly fragment: string;

  constructor(fragment: string) {
    super(`not understood: ${fragment}`);
    this.name = 'NotUnderstood';
    this.fragment = fragment.trim().split('\n')[0] ?? '';
  }
}

const operators = ['&&', '||', ';;', '>>', '>&', '<&', '<<', '&>', ';', '&', '|', '>', '<', '(', ')', '\n'];

/** Splits a POSIX shell script (and what bash scripts share with it) into words and operators. */
export function tokenize(script: string): Token[] {
  return new Lexer(script).tokens();
}

class Lexer {
  readonly #script: string;
  #at = 0;

  constructor(script: string) {
    this.#script = script;
  }

  tokens(): Token[] {
    const tokens: Token[] = [];
    for (;;) {
      this.#skipBlanks();
      if (this.#at >= this.#script.length) return tokens;
      const start = this.#at;
      const operator = operators.find(text => this.#script.startsWith(text, start));
      if (operator === '<<') throw new NotUnderstood(this.#script.slice(start));
      if (operator !== undefined) {
        this.#at += operator.length;
        tokens.push({type: 'operator', text: operator, start, end: this.#at});
      } else {
        const parts = this.#word();
        tokens.push({type: 'word', parts, start, end: this.#at, source: this.#script.slice(start, this.#at)});
      }
    }
  }

  #skipBlanks(): void {
    for (;;) {
      const rest = /^(?:[ \t\r]+|\\\r?\n|#[^\n]*)/.exec(this.#script.slice(this.#at))?.[0];
      if (rest === undefined) return;
      this.#at += rest.length;
    }
  }

  #word(): Part[] {
    const parts: Part[] = [];
    while (this.#at < this.#script.length) {
      const character = this.#script[this.#at] ?? '';
      if (/[\s;&|<>()]/.test(character)) break;
      if (character === '\'') parts.push(this.#singleQuoted());
      else if (character === '"') parts.push(...this.#doubleQuoted());
      else if (character === '\\') this.#escaped(parts);
      else if (character === '$' || character === '`') parts.push(this.#expansion(false));
      else parts.push(this.#plain());
    }
    return parts;
  }

  #plain(): Part {
    const text = /^[^\s;&|<>()'"\\$`]+/.exec(this.#script.slice(this.#at))?.[0] ?? '';
    this.#at += text.length;
    return {type: 'text', text, quoted: false};
  }

  #escaped(parts: Part[]): void {
    const next = this.#script[this.#at + 1] ?? '';
    this.#at += 2;
    if (next !== '\n') parts.push({type: 'text', text: next, quoted: true});
  }

  #singleQuoted(): Part {
    const close = this.#script.indexOf('\'', this.#at + 1);
    if (close === -1) throw new NotUnderstood(this.#script.slice(this.#at));
    const text = this.#script.slice(this.#at + 1, close);
    this.#at = close + 1;
    return {type: 'text', text, quoted: true};
  }

  #doubleQuoted(): Part[] {
    const start = this.#at;
    const parts: Part[] = [{type: 'text', text: '', quoted: true}];
    this.#at += 1;
    for (;;) {
      if (this.#at >= this.#script.length) throw new NotUnderstood(this.#script.slice(start));
      const character = this.#script[this.#at] ?? '';
      if (character === '"') {
        this.#at += 1;
        return parts;
      }
      if (character === '\\' && /["\\$`\n]/.test(this.#script[this.#at + 1] ?? '')) {
        this.#escaped(parts);
      } else if (character === '$' || character === '`') {
        parts.push(this.#expansion(true));
      } else {
        parts.push({type: 'text', text: character, quoted: true});
        this.#at += 1;
      }
    }
  }

  #expansion(quoted: boolean): Part {
    const rest = this.#script.slice(this.#at);
    if (rest.startsWith('`')) return this.#command(quoted, this.#script.indexOf('`', this.#at + 1), 1);
    if (rest.startsWith('$(')) return this.#command(quoted, this.#closing('(', ')'), 2);
    if (rest.startsWith('${')) return this.#braced(quoted);
    const name = /^\$([A-Za-z_]\w*|[@*#?$!0-9-])/.exec(rest)?.[1];
    this.#at += 1 + (name?.length ?? 0);
    return name === undefined ? {type: 'text', text: '$', quoted: true} : {type: 'variable', name, operator: '', operand: '', quoted};
  }

  #command(quoted: boolean, close: number, open: number): Part {
    if (close === -1) throw new NotUnderstood(this.#script.slice(this.#at));
    const source = this.#script.slice(this.#at + open, close).trim();
    this.#at = close + 1;
    return {type: 'command', source, quoted};
  }

  #braced(quoted: boolean): Part {
    const close = this.#closing('{', '}');
    const source = this.#script.slice(this.#at, close + 1);
    const match = /^\$\{([A-Za-z_]\w*|[@*0-9])(?:(:?[-=?+]|##?|%%?)([\s\S]*))?\}$/.exec(source);
    if (close === -1 || match?.[1] === undefined) throw new NotUnderstood(close === -1 ? this.#script.slice(this.#at) : source);
    this.#at = close + 1;
    return {type: 'variable', name: match[1], operator: match[2] ?? '', operand: match[3] ?? '', quoted};
  }

  /** Index of the bracket that closes the one after the `$` here; quotes inside are stepped over. */
  #closing(open: string, close: string): number {
    let depth = 0;
    let quote = '';
    for (let index = this.#at + 1; index < this.#script.length; index += 1) {
      const character = this.#script[index] ?? '';
      if (character === '\\') index += 1;
      else if (quote !== '') quote = character === quote ? '' : quote;
      else if (character === '\'' || character === '"') quote = character;
      else if (character === open) depth += 1;
      else if (character === close) depth -= 1;
      if (depth === 0) return index;
    }
    return -1;
  }
}
