import assert from 'node:assert/strict';
import {spawnSync} from 'node:child_process';
import {mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {generatedFiles, installPath} from '../../../src/generate/files.ts';
import {findHelm} from '../../../src/generate/helm.ts';
import {renderInstall} from '../../../src/generate/install.ts';
import {staleFiles, writeStale} from '../../../src/generate/settle.ts';
import {read, requireHelm, root} from './repository.ts';

const generate = (args: string[], env: Record<string, string>) =>
  spawnSync(process.execPath, ['src/generate/main.ts', ...args], {cwd: root, env, encoding: 'utf8'});

describe('generated files', function () {
  this.timeout(60_000);

  it('are committed as they come from the sources', () => {
    assert.deepEqual(staleFiles(root, generatedFiles()), [], 'run npm run generate and commit the result');
  });

  it('hold one CustomResourceDefinition, in crds and in the chart', () => {
    assert.equal(read('crds/quorumrecoveries.yaml'), read('charts/quorum-recovery-operator/files/crd.yaml'));
  });

  it('include the plain manifests, as they come from the chart', function () {
    const helm = requireHelm(this);
    assert.equal(renderInstall(helm, root), read(installPath), 'run npm run generate and commit the result');
  });

  it('are told stale when one byte is different or the file is missing, and are written then', () => {
    const directory = mkdtempSync(join(tmpdir(), 'generate-'));
    try {
      const files = new Map([['a/one.yaml', 'one\n'], ['two.yaml', 'two\n']]);
      assert.deepEqual(staleFiles(directory, files), ['a/one.yaml', 'two.yaml']);
      assert.deepEqual(writeStale(directory, files), ['a/one.yaml', 'two.yaml']);
      assert.deepEqual(staleFiles(directory, files), []);
      writeFileSync(join(directory, 'two.yaml'), 'two');
      assert.deepEqual(writeStale(directory, files), ['two.yaml']);
      assert.equal(readFileSync(join(directory, 'two.yaml'), 'utf8'), 'two\n');
    } finally {
      rmSync(directory, {recursive: true});
    }
  });

  it('are checked without helm too, and what could not be checked is said', () => {
    const {status, stderr} = generate(['--check'], {PATH: '/nonexistent'});
    assert.match(stderr, /deploy\/install\.yaml was not checked, because helm was not found/);
    assert.equal(status, stderr.includes('is not fresh') ? 1 : 0, 'a missing helm is no failure by itself');
  });

  it('are not called checked where HELM names something that is no program', () => {
    const {status, stderr} = generate(['--check'], {PATH: '/nonexistent', HELM: '/nonexistent/helm'});
    assert.equal(status, 1);
    assert.match(stderr, /HELM is \/nonexistent\/helm, which cannot be run/);
  });
});

describe('the search for helm', () => {
  it('takes HELM before PATH', () => {
    assert.deepEqual(findHelm({HELM: process.execPath, PATH: ''}), {path: process.execPath});
  });

  it('says what to do where there is none', () => {
    const helm = findHelm({PATH: '/nonexistent'});
    assert.ok('missing' in helm);
    assert.match(helm.missing, /put it on PATH, or name it in HELM/);
  });
});
