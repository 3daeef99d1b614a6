import {mkdirSync, readFileSync, writeFileSync} from 'node:fs';
import {dirname} from 'node:path';
import {generatedFiles} from './files.ts';

const check = process.argv.includes('--check');
let stale = 0;
for (const [path, text] of generatedFiles()) {
  const current = (() => {
    try {
      return readFileSync(path, 'utf8');
    } catch {
      return undefined;
    }
  })();
  if (current === text) continue;
  if (check) {
    process.stderr.write(`${path} is not fresh: run 'npm run generate' and commit the result\n`);
    stale += 1;
  } else {
    mkdirSync(dirname(path), {recursive: true});
    writeFileSync(path, text);
    process.stdout.write(`wrote ${path}\n`);
  }
}
if (stale > 0) process.exit(1);
