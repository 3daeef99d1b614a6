import {parseDocument} from 'yaml';
import {SyntaxValidator} from 'fast-xml-validator';
import type {Format} from '../api/configuration.ts';

/** A value that is what it should be. `texts`: what stands at a place in it; undefined: nothing does. */
export interface Reading {
  /** JSON and YAML. */
  data?: unknown;
  texts: (at: string) => string[] | undefined;
}

/** Why it is not. Nothing of the value is in it: it may be a Secret's. */
export interface Malformed {
  problem: string;
}

export const isMalformed = (read: Reading | Malformed): read is Malformed => 'problem' in read;

/** One reader for each format; throws nothing, whatever the value is. */
export function read(format: Format, value: Buffer): Reading | Malformed {
  let text: string;
  try {
    text = new TextDecoder('utf-8', {fatal: true}).decode(value);
  } catch {
    return {problem: 'is not UTF-8'};
  }
  switch (format) {
    case 'Text': return {texts: () => [text]};
    case 'JSON': return readJSON(text);
    case 'YAML': return readYAML(text);
    case 'XML': return readXML(text);
    case 'Properties': return readProperties(text);
  }
}

const place = (line: number, column?: number) => ` (line ${line}${column === undefined ? '' : `, column ${column}`})`;

/** V8 names the place in some of its messages, and quotes the text in others. */
function placeInJSON(text: string, message: string): string {
  const position = /position (\d+)/.exec(message)?.[1];
  if (position === undefined) return '';
  const before = text.slice(0, Number(position)).split('\n');
  return place(before.length, (before.at(-1) ?? '').length + 1);
}

function readJSON(text: string): Reading | Malformed {
  try {
    return ofData(JSON.parse(text) as unknown);
  } catch (error) {
    return {problem: `is not well-formed JSON${placeInJSON(text, String(error))}`};
  }
}

function readYAML(text: string): Reading | Malformed {
  const document = parseDocument(text, {logLevel: 'silent'});
  const [first] = document.errors;
  if (first !== undefined) return {problem: `is not well-formed YAML: ${first.code}${first.linePos === undefined ? '' : place(first.linePos[0].line, first.linePos[0].col)}`};
  try {
    return ofData(document.toJS({maxAliasCount: 100}) as unknown);
  } catch {
    return {problem: 'is YAML whose aliases grow beyond measure, or point nowhere'};
  }
}

/** JSON pointers (RFC 6901). */
const ofData = (data: unknown): Reading => ({data, texts: (pointer) => {
  let at: unknown = data;
  for (const part of pointer.split('/').slice(1).map((one) => one.replaceAll('~1', '/').replaceAll('~0', '~'))) {
    if (at === null || typeof at !== 'object' || !Object.hasOwn(at, part)) return undefined;
    at = (at as Record<string, unknown>)[part];
  }
  const list: unknown[] = Array.isArray(at) ? at : [at];
  return list.every((one) => typeof one === 'string') ? list : undefined;
}});

const strictXML = {invalidCharSequence: {comment: true, tagValue: true, attrLt: true}};

/** What the validator says of a place: its own type declarations do not name what it throws. */
const placeInXML = (error: unknown): string =>
  (error instanceof Error && 'line' in error && 'col' in error && typeof error.line === 'number' && typeof error.col === 'number' ? place(error.line, error.col) : '');

/** Well-formed XML 1.0. Its entities are not expanded, and nothing is ever fetched. */
function readXML(text: string): Reading | Malformed {
  try {
    SyntaxValidator.validate(text, strictXML);
    return {texts: () => undefined};
  } catch (error) {
    // Its messages quote the value; the place is enough to find it.
    return {problem: `is not well-formed XML${placeInXML(error)}`};
  }
}

/** `key=value`, `key = value`, sections and comments, as in cluster_settings, .properties and .ini files. A key may come again. */
function readProperties(text: string): Reading | Malformed {
  const found = new Map<string, string[]>();
  let section = '';
  for (const [index, raw] of text.split(/\r?\n/).entries()) {
    const line = raw.trim();
    if (line === '' || line.startsWith('#') || line.startsWith(';')) continue;
    const header = /^\[([^\]]+)\]$/.exec(line)?.[1];
    if (header !== undefined) {
      section = `${header.trim()}.`;
      continue;
    }
    const equals = line.indexOf('=');
    if (equals < 1) return {problem: `is not a list of properties${place(index + 1)}: no key=value`};
    const key = `${section}${line.slice(0, equals).trim()}`;
    found.set(key, [...(found.get(key) ?? []), line.slice(equals + 1).trim()]);
  }
  return {texts: (key) => found.get(key)};
}
