import assert from 'node:assert/strict';
import fc from 'fast-check';
import {readDump} from '../../../src/rebuild/dump.ts';
import type {Entry} from '../../../src/rebuild/dump.ts';
import {BadDump, scanDump} from '../../../src/rebuild/scan.ts';

const base64 = (text: string) => Buffer.from(text).toString('base64');

/** In pieces of this size, as a file comes. */
async function scan(text: string, size = 7): Promise<Entry[] | {problem: string}> {
  const bytes = Buffer.from(text);
  const pieces = Array.from({length: Math.ceil(bytes.length / size)}, (_, index) => bytes.subarray(index * size, (index + 1) * size));
  const found: Entry[] = [];
  try {
    for await (const entry of scanDump((async function* each() { for (const piece of pieces) yield await Promise.resolve(piece); })())) found.push(entry);
  } catch (error) {
    if (error instanceof BadDump) return {problem: error.message};
    throw error;
  }
  return found;
}

const words = (found: Entry[] | {problem: string}) => (Array.isArray(found) ? found.map(({key, value}) => [key.toString('hex'), value.toString('hex')]) : found.problem);

const entry = fc.record({key: fc.string({minLength: 1}), value: fc.string()}).map(({key, value}) => ({key: base64(key), ...(value !== '' && {value: base64(value)}), version: 1, note: '}]"\\{['}));
const answer = fc.array(entry).map((kvs) => ({header: {cluster_id: 1, revision: 7}, ...(kvs.length > 0 && {kvs, count: kvs.length})}));

describe('a dump of any size', () => {
  it('is read as one that is read whole, however it is written and however it comes', async () => {
    await fc.assert(fc.asyncProperty(fc.array(fc.oneof(answer, entry), {maxLength: 4}), fc.integer({min: 1, max: 40}), fc.boolean(), async (parts, size, pretty) => {
      const text = pretty && parts.length === 1 ? JSON.stringify(parts[0], undefined, 2) : parts.map((part) => JSON.stringify(part)).join('\n');
      assert.deepEqual(words(await scan(text, size)), words(readDump(text)));
    }), {numRuns: 300});
  });

  it('is refused by the number of its line, and nothing of it is told', async () => {
    const good = JSON.stringify({key: base64('/a'), value: base64('geheim')});
    for (const bad of ['{"key": "no base64!"}', '{"value": "YQ=="}', 'geheim', '[]', '{"key":"YQ=="}}', '{"key":"YQ==",}', JSON.stringify({header: {}, kvs: [{key: base64('/b')}], more: true}), '{"kvs":["a"]}', '{"other":[{"key":"YQ=="}]}']) {
      const found = await scan(`${good}\n\n${bad}\n`);
      assert.ok(!Array.isArray(found), bad);
      assert.match(found.problem, /^line 3 is no JSON/, bad);
      assert.doesNotMatch(found.problem, /geheim/);
    }
  });

  it('that was cut off is refused, wherever that was', async () => {
    const whole = JSON.stringify({header: {revision: 1}, kvs: [{key: base64('/a'), value: base64('1')}, {key: base64('/b'), value: base64('2')}], count: 2});
    for (let end = 1; end < whole.length; end += 1) assert.ok(!Array.isArray(await scan(whole.slice(0, end))), `${end}`);
    assert.ok(Array.isArray(await scan(whole)));
  });
});
