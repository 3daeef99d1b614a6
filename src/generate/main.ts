import {mkdirSync, readFileSync, writeFileSync} from 'node:fs';
import {dirname, join} from 'node:path';
import {generatedFiles, installPath} from './files.ts';
import {findHelm} from './helm.ts';
import {renderInstall} from './install.ts';

const root = join(import.meta.dirname, '..', '..');
const check = process.argv.includes('--check');

function current(path: string): string | undefined {
  try {
    return readFileSync(join(root, path), 'utf8');
  } catch {
    return undefined;
  }
}

/** Writes a file unless it is as it should be; with --check says instead that it is not, and returns false. */
function settle(path: string, text: string): boolean {
  if (current(path) === text) return true;
  if (check) {
    process.stderr.write(`${path} is not fresh: run 'npm run generate' and commit the result\n`);
    return false;
  }
  mkdirSync(dirname(join(root, path)), {recursive: true});
  writeFileSync(join(root, path), text);
  process.stdout.write(`wrote ${path}\n`);
  return true;
}

const fresh = [...generatedFiles()].map(([path, text]) => settle(path, text));
const helm = findHelm(process.env);
// The plain manifests come from the chart on disk, so they are rendered after the chart's own generated files.
if ('path' in helm) fresh.push(settle(installPath, renderInstall(helm.path, root)));
else process.stderr.write(`${installPath} was not ${check ? 'checked' : 'written'}, because ${helm.missing}\n`);
if (fresh.includes(false)) process.exitCode = 1;
