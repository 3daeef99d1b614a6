import assert from 'node:assert/strict';
import {existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {withLock} from '../lab/lock.ts';
import {copyTemplate} from '../lab/template.ts';

describe('the lab\'s directories of containerd', () => {
  let directory: string;
  const at = (...parts: string[]): string => join(directory, ...parts);
  const inode = (...parts: string[]): number => statSync(at(...parts)).ino;

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'lab-template-'));
    mkdirSync(at('template', 'metadata'), {recursive: true});
    writeFileSync(at('template', 'blob'), 'layer');
    writeFileSync(at('template', 'metadata', 'meta.db'), 'pages');
  });

  afterEach(() => {
    rmSync(directory, {recursive: true});
  });

  it('are copied by links, but for databases, which are written in place', async () => {
    await copyTemplate(at('template'), at('copy'));
    assert.equal(inode('copy', 'blob'), inode('template', 'blob'));
    assert.notEqual(inode('copy', 'metadata', 'meta.db'), inode('template', 'metadata', 'meta.db'));
    assert.equal(readFileSync(at('copy', 'metadata', 'meta.db'), 'utf8'), 'pages');
    assert.deepEqual(readdirSync(directory).sort(), ['copy', 'template']);
  });

  it('are copied over what is there, and over what a copy left that was cut off, and never into it', async () => {
    for (const left of ['copy', 'copy.unfinished']) {
      mkdirSync(at(left, 'metadata'), {recursive: true});
      for (const name of ['blob', 'other', join('metadata', 'meta.db')]) writeFileSync(at(left, name), 'old');
    }
    await copyTemplate(at('template'), at('copy'));
    assert.deepEqual(readdirSync(at('copy')).sort(), ['blob', 'metadata']);
    assert.equal(readFileSync(at('copy', 'blob'), 'utf8'), 'layer');
    assert.ok(!existsSync(at('copy.unfinished')));
  });

  it('without any database are copied too', async () => {
    rmSync(at('template', 'metadata'), {recursive: true});
    await copyTemplate(at('template'), at('copy'));
    assert.deepEqual(readdirSync(at('copy')), ['blob']);
  });

  it('are copied side by side, and no import begins before all of these have ended', async () => {
    const seen: string[] = [];
    const both = Promise.withResolvers<undefined>();
    const copy = async (name: string): Promise<void> => {
      await withLock(at('lock'), async () => {
        seen.push(name);
        // Ends only if the other one does not wait for this one.
        if (seen.length === 2) both.resolve(undefined);
        await both.promise;
        seen.push(`${name} ended`);
      }, {shared: true});
    };
    await Promise.all([copy('a'), copy('b')]);
    const begun = Promise.withResolvers<undefined>();
    const ends = Promise.withResolvers<undefined>();
    const copying = withLock(at('lock'), async () => { begun.resolve(undefined); await ends.promise; seen.push('c ended'); }, {shared: true});
    await begun.promise;
    const importing = withLock(at('lock'), () => Promise.resolve(seen.push('import')));
    ends.resolve(undefined);
    await Promise.all([copying, importing]);
    assert.deepEqual(seen.slice(0, 2).sort(), ['a', 'b']);
    assert.deepEqual(seen.slice(-2), ['c ended', 'import']);
  });
});
