/** One key and its value, as bytes. */
export interface Entry {
  key: Buffer;
  value: Buffer;
}

const base64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

function bytes(value: unknown): Buffer | undefined {
  return typeof value === 'string' && base64.test(value) ? Buffer.from(value, 'base64') : undefined;
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);

/** An answer whose keys and values were taken out of it, each with a 0 in its place, and which was not cut off. */
export function isAnswer(found: unknown): boolean {
  if (!isObject(found) || 'key' in found || found['more'] === true) return false;
  if (found['kvs'] === undefined) return 'header' in found;
  return Array.isArray(found['kvs']) && found['kvs'].every((one) => one === 0);
}

/** An empty value is left out by etcdctl. */
export function entryOf(found: unknown): Entry | undefined {
  if (!isObject(found)) return undefined;
  const [key, value] = [bytes(found['key']), found['value'] === undefined ? Buffer.alloc(0) : bytes(found['value'])];
  return key === undefined || key.length === 0 || value === undefined ? undefined : {key, value};
}

/** Entries of one JSON value: the answer to a range, or one key and value. */
function entriesOf(found: unknown): Entry[] | undefined {
  if (isObject(found) && Array.isArray(found['kvs'])) {
    const entries = found['kvs'].map(entryOf);
    if (found['more'] === true || entries.includes(undefined)) return undefined;
    return entries.filter((entry) => entry !== undefined);
  }
  // An answer without any key names none.
  if (isObject(found) && 'header' in found && !('key' in found)) return [];
  const one = entryOf(found);
  return one === undefined ? undefined : [one];
}

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
};

/**
 * What `etcdctl get --prefix -w json` writes, one answer or several one after the other, or one key and value a line, all in base64. Leases and
 * versions are not kept: they mean nothing in another cluster. The problem quotes nothing.
 */
export function readDump(text: string): Entry[] | {problem: string} {
  const whole = entriesOf(parsed(text));
  if (whole !== undefined) return whole;
  const entries: Entry[] = [];
  for (const [index, line] of text.split('\n').entries()) {
    if (line.trim() === '') continue;
    const found = entriesOf(parsed(line));
    if (found === undefined) return {problem: `line ${index + 1} is no JSON with a key and a value in base64, or an answer that was cut off`};
    entries.push(...found);
  }
  return entries;
}
