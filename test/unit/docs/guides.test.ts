import assert from 'node:assert/strict';
import {existsSync, readdirSync} from 'node:fs';
import {join} from 'node:path';
import {read, root} from '../generate/repository.ts';

const guides = readdirSync(join(root, 'docs/guides')).filter((name) => name.endsWith('.md')).map((name) => join('docs/guides', name));

/** Rows of the tables of a page, but for their heads. */
const rowsOf = (page: string): string[][] => read(page).split('\n').filter((line) => line.startsWith('| ') && !/^\|[ -]*\|/.test(line))
  .map((line) => line.split(/(?<!\\)\|/).slice(1, -1).map((cell) => cell.trim())).filter(([first]) => first !== 'The person' && first !== 'Procedure' && first !== 'Case');

const named = (cell: string): string[] => [...cell.matchAll(/`([a-z-]+(?:-[0-9]+)?)`/g)].map(([, name = '']) => name);

/** Why there is no such case; undefined: there is one. */
function missing(name: string): string | undefined {
  const [, file = '', number] = /^(.*?)(?:-([0-9]+))?$/.exec(name) ?? [];
  const path = `test/e2e/cases/${file}.test.ts`;
  if (!existsSync(join(root, path))) return `${name}: there is no ${path}`;
  // Cases that a loop makes have a file, and no number of their own here.
  const count = [...read(path).matchAll(/\be2e\(/g)].length;
  return number === undefined || Number(number) <= count ? undefined : `${name}: ${path} has ${count} cases`;
}

describe('guides', () => {
  it('name cases that exist', () => {
    assert.deepEqual(guides.flatMap((page) => rowsOf(page).flatMap((row) => named(row.at(-1) ?? '')).map(missing).filter((why) => why !== undefined).map((why) => `${page}: ${why}`)), []);
  });
  it('show each line by a case, or say that it is not built, that every case shows it, or that it is not about etcd', () => {
    const silent = guides.filter((page) => !page.endsWith('README.md')).flatMap((page) => rowsOf(page)
      .filter((row) => named(row.at(-1) ?? '').length === 0 && !/not built|every case|unit tests/.test(row.at(-1) ?? '') && !/^nothing: it looks at etcd alone/.test(row[1] ?? '')).map(([line]) => `${page}: ${line ?? ''}`));
    assert.deepEqual(silent, []);
  });
  it('have a case for what every runbook turns on', () => {
    const shown = rowsOf('docs/guides/README.md').flatMap((row) => named(row.at(-1) ?? ''));
    for (const name of ['six-members-1', 'nodes-lost-1', 'partition-1', 'partition-3', 'nothing-to-do-1', 'nothing-to-do-2', 'replace-1']) assert.ok(shown.includes(name), name);
  });
});
