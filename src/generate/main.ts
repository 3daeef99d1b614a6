import {join} from 'node:path';
import {generatedFiles, installPath} from './files.ts';
import {findHelm} from './helm.ts';
import {renderInstall} from './install.ts';
import {staleFiles, writeStale} from './settle.ts';

const root = join(import.meta.dirname, '..', '..');
const check = process.argv.includes('--check');

/** Writes what is not as it should be; with --check only says so, and the exit code is 1. */
function settle(files: ReadonlyMap<string, string>): void {
  if (!check) {
    for (const path of writeStale(root, files)) process.stdout.write(`wrote ${path}\n`);
    return;
  }
  for (const path of staleFiles(root, files)) {
    process.stderr.write(`${path} is not fresh: run 'npm run generate' and commit the result\n`);
    process.exitCode = 1;
  }
}

try {
  settle(generatedFiles());
  const helm = findHelm(process.env);
  // The plain manifests come from the chart on disk, so they are rendered after the chart's own generated files.
  if ('path' in helm) settle(new Map([[installPath, renderInstall(helm.path, root)]]));
  else process.stderr.write(`${installPath} was not ${check ? 'checked' : 'written'}, because ${helm.missing}\n`);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
