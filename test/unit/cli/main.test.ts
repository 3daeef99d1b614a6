import assert from 'node:assert/strict';
import {spawnSync} from 'node:child_process';
import {mkdtempSync, symlinkSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {durationOf, parseWords, splitCommand} from '../../../src/cli/arguments.ts';
import {commandOf, commands} from '../../../src/cli/commands.ts';
import type {CommandName} from '../../../src/cli/commands.ts';
import {candidates} from '../../../src/cli/complete.ts';
import {commandHelp, mainHelp} from '../../../src/cli/help.ts';
import {read, root} from '../generate/repository.ts';

const program = join(root, 'src', 'cli', 'main.ts');

function call(...words: string[]) {
  const {status, stdout, stderr} = spawnSync(process.execPath, [program, ...words], {encoding: 'utf8', env: {PATH: process.env['PATH'], KUBECONFIG: '/nowhere/config', HOME: '/nowhere'}});
  return {code: status, out: stdout, err: stderr};
}

const names = Object.keys(commands) as CommandName[];

describe('the plugin\'s command line', function () {
  this.timeout(20_000);

  it('helps without a cluster, and refuses what it does not know with 2', () => {
    assert.deepEqual(call(), {code: 0, out: `${mainHelp()}\n`, err: ''});
    assert.deepEqual(call('plan', '--help'), {code: 0, out: `${commandHelp('plan')}\n`, err: ''});
    assert.deepEqual(call('help', 'wait').out, `${commandHelp('wait')}\n`);
    assert.deepEqual(call('sing'), {code: 2, out: '', err: 'There is no command "sing" (kubectl quorum-recovery help)\n'});
    assert.deepEqual(call('plan', '--sing'), {code: 2, out: '', err: 'Unknown option \'--sing\' (kubectl quorum-recovery plan --help)\n'});
    assert.equal(call('--sing').code, 2);
  });

  it('says what is missing where there is no cluster, in a sentence', () => {
    const {code, err} = call('status');
    assert.equal(code, 1);
    assert.match(err, /^No cluster is configured: .*--kubeconfig FILE\n$/);
    assert.match(call('status', '--kubeconfig', '/nowhere/config').err, /^The kubeconfig \/nowhere\/config cannot be read: ENOENT/);
    assert.match(call('status', '--server', 'http://127.0.0.1:1').err, /^The API server does not answer/);
  });

  it('loads for the help neither a client, nor YAML, nor zod: it has to be there at once', () => {
    const hook = 'import {registerHooks} from "node:module"; registerHooks({resolve(specifier, context, next) { process.stderr.write(specifier + "\\n"); return next(specifier, context); }});';
    const {stderr} = spawnSync(process.execPath, ['--import', `data:text/javascript,${encodeURIComponent(hook)}`, program, 'help'], {encoding: 'utf8'});
    const loaded = stderr.split('\n').filter((line) => line !== '');
    assert.ok(loaded.some((specifier) => specifier.endsWith('/commands.ts')), 'nothing was seen');
    assert.deepEqual(loaded.filter((specifier) => !/^(node:|\.|file:)/.test(specifier)), []);
    assert.ok(loaded.length <= 24, `${loaded.length} modules: ${loaded.join(' ')}`);
  });

  it('finds the command behind options that come before it', () => {
    assert.deepEqual(splitCommand(['-n', 'plan', 'status', 'etcd', '-w']), {command: 'status', rest: ['-n', 'plan', 'etcd', '-w']});
    assert.deepEqual(splitCommand(['--namespace=db', '--help']), {command: undefined, rest: ['--namespace=db', '--help']});
  });

  it('refuses values and names that make no sense', () => {
    const {options} = commandOf('report');
    assert.throws(() => parseWords('report', ['-o', 'pdf'], options, 1), /--output is one of markdown, html, json, not "pdf"/);
    assert.throws(() => parseWords('report', ['a', 'b'], options, 1), /at most one name, not a b/);
    assert.throws(() => parseWords('version', ['a'], commandOf('version').options, 0), /takes no name/);
    assert.equal(durationOf('timeout', '1h30m5s'), 5_405_000);
    assert.throws(() => durationOf('timeout', '5'), /such as 90s/);
  });

  it('has a page of help for each command, with every option, and a place in the reference', () => {
    const page = read('docs/reference/cli.md');
    for (const name of names) {
      assert.ok(page.includes(`## ${name}`) || ['help', 'version', 'completion', 'resume'].includes(name), `docs/reference/cli.md has no ${name}`);
      for (const option of Object.keys(commandOf(name).options)) {
        assert.ok(commandHelp(name).includes(`--${option}`));
        assert.ok(page.includes(`--${option}`), `docs/reference/cli.md does not tell of ${name} --${option}`);
      }
    }
    for (const line of names.flatMap((name) => commandHelp(name).split('\n'))) assert.ok(line.length <= 132, line);
  });

  it('completes commands, options, their values, and names', async () => {
    const asked = {resources: () => Promise.resolve(['etcd', 'other']), statefulSets: () => Promise.resolve(['set']), contexts: () => Promise.reject(new Error('no'))};
    const first = async (...words: string[]) => (await candidates(words, asked)).map((one) => one.split('\t')[0]);
    assert.deepEqual(await first(''), names);
    assert.deepEqual(await first('status', ''), ['etcd', 'other']);
    assert.deepEqual(await first('recover', '--yes', ''), ['set']);
    assert.deepEqual(await first('-n', 'db', 'plan', 'etcd', ''), []);
    assert.deepEqual(await first('report', '-o', ''), ['markdown', 'html', 'json']);
    assert.deepEqual(await first('--context', ''), [], 'an error is no candidate');
    assert.deepEqual(await first('completion', ''), ['bash', 'zsh', 'fish']);
    assert.ok((await first('wait', '-')).includes('--stop'));
  });

  it('answers kubectl as cobra\'s programs do, also by the link that npm makes', () => {
    const link = join(mkdtempSync(join(tmpdir(), 'plugin-')), 'kubectl_complete-quorum_recovery');
    symlinkSync(join(root, 'src', 'cli', 'complete.ts'), link);
    const {stdout} = spawnSync(process.execPath, [link, 'pa'], {encoding: 'utf8'});
    assert.match(stdout, /^pause\t[^\n]+\n:4\n$/);
    assert.match(call('__complete', 'pa').out, /^pause\t/);
  });

  it('gives each shell a script that the shell itself understands', function () {
    for (const shell of ['bash', 'zsh', 'fish']) {
      const {code, out} = call('completion', shell);
      assert.equal(code, 0);
      const checked = spawnSync(shell, ['-n'], {input: out, encoding: 'utf8'});
      if (checked.error === undefined) assert.equal(checked.status, 0, `${shell}: ${checked.stderr}`);
    }
    assert.equal(call('completion', 'cmd').code, 2);
  });

  it('is what package.json installs', () => {
    const {bin} = JSON.parse(read('package.json')) as {bin: Record<string, string>};
    for (const [name, file] of Object.entries(bin)) {
      const source = read(file.replace(/^dist/, 'src').replace(/\.js$/, '.ts'));
      assert.ok(source.startsWith('#!/usr/bin/env node\n'), `${name} cannot be run`);
      assert.match(name, /^kubectl(_complete)?-(quorum_recovery|qr)$/);
    }
    const lock = JSON.parse(read('package-lock.json')) as {packages: Record<string, {bin?: object}>};
    assert.deepEqual(lock.packages['']?.bin, bin);
  });
});
