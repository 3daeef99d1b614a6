import {spawnSync} from 'node:child_process';
import {loadavg} from 'node:os';
import {join} from 'node:path';
import {parseArgs} from 'node:util';
import {projectDirectory} from '../lab/paths.ts';
import {run} from '../lab/shell.ts';
import {machine, spreadRow} from './results.ts';

/*
 * `make bench-help`: how long the plugin takes for its help, beside a node that does nothing, in turn.
 *   ROUNDS=30        starts of each
 *   PLUGIN_NODE=...  the node to measure with; default: the one that runs this
 */
const {values} = parseArgs({options: {
  rounds: {type: 'string', default: process.env['ROUNDS'] ?? '30'},
  node: {type: 'string', default: process.env['PLUGIN_NODE'] ?? process.execPath},
}});

/** Milliseconds from the start of a process to its end. */
function timed(args: readonly string[]): number {
  const begun = performance.now();
  const {status, stderr} = spawnSync(values.node, args, {encoding: 'utf8'});
  if (status !== 0) throw new Error(`${values.node} ${args.join(' ')} ended with ${status ?? 'a signal'}: ${stderr}`);
  return performance.now() - begun;
}

await run(join(projectDirectory, 'node_modules/.bin/tsc'), ['-p', join(projectDirectory, 'tsconfig.build.json')]);
const plugin = join(projectDirectory, 'dist/cli/main.js');
const [help, nothing]: [number[], number[]] = [[], []];
for (let round = 0; round < Number(values.rounds); round += 1) {
  help.push(timed([plugin, 'help']));
  nothing.push(timed(['--eval', '0']));
}
const version = spawnSync(values.node, ['--version'], {encoding: 'utf8'}).stdout.trim();
console.log([
  `On ${machine()}, Node ${version}, load ${(loadavg()[0] ?? 0).toFixed(1)}`, '',
  '| milliseconds | starts | median | min | max |', '| --- | ---: | ---: | ---: | ---: |',
  spreadRow('kubectl quorum-recovery help', help, 0), spreadRow('node that does nothing', nothing, 0),
].join('\n'));
