import assert from 'node:assert/strict';
import {execFileSync} from 'node:child_process';
import {chmodSync, mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {commandLine} from '../../../../src/etcd/launch/command-line.ts';

/** Scripts that this reader claims to understand, run by a real shell with an etcd that prints its words. */
const scripts = [
  'exec etcd --name ${POD_NAME} --data-dir=/d',
  'PEERS="a=http://a:1,b=http://b:1"; exec etcd --initial-cluster ${PEERS} --name \'a $POD_NAME\' "--log=\\$x \\"y\\" `echo z`"',
  'A=1\nB="${A:-2} ${C:-3} ${E:-4} ${E-5} ${A:+6}"\nexec etcd "$B" $B x${A}y"$A"\'$A\'',
  'ID=${HOSTNAME##*-}; SET=${HOSTNAME%-*}; X=${HOSTNAME#*-} Y=${HOSTNAME%%-*}; exec etcd $ID $SET $X $Y',
  'mkdir -p "$TMP" && etcd a \\\n  b \\\n  c # comment d',
  ': ${NEW:=fresh}; exec etcd "$NEW" "" \'\' ${E} "${E}"',
  'exec etcd "$@" last',
  'exec etcd $* "a$1b"',
  'set -eu; A="x y"; A="$A z"; etcd $A "$A" >/dev/stderr 2>&1 >&2',
  'X=$(echo hello world); exec etcd $X "$X" $(hostname)',
  'if [ 1 = 2 ]; then exit 3; fi; while false; do sleep 1; done; exec etcd \\a\\ b a\\"b',
  'export A=b; B=c exec etcd $A',
  'exec env Q=1 etcd "a b"',
  'command etcd x; true',
  'exec etcd "a\\b" \'a\\b\' a#b "#"',
];

describe('the reader of scripts, beside a real shell', () => {
  let directory = '';
  const run = (script: string, args: string[]): string[] => {
    const output = execFileSync('/bin/sh', ['-c', script, 'zero', ...args], {
      encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'],
      env: {PATH: `${directory}:/usr/bin:/bin`, OUT: join(directory, 'out'), TMP: join(directory, 'tmp'), POD_NAME: 'etcd-1', HOSTNAME: 'etcd-1', E: ''},
    });
    return output.split('\0').slice(0, -1);
  };

  before(() => {
    directory = mkdtempSync(join(tmpdir(), 'shell-test-'));
    const tool = (name: string, text: string): void => {
      writeFileSync(join(directory, name), `#!/bin/sh\n${text}\n`);
      chmodSync(join(directory, name), 0o755);
    };
    tool('etcd', 'for word in "$@"; do printf \'%s\\0\' "$word"; done > "$OUT.$$"; cat "$OUT.$$" > "$OUT"');
    tool('hostname', 'echo etcd-1');
  });
  after(() => { rmSync(directory, {recursive: true}); });

  const observed = (script: string): string[] => {
    run(script, ['p q', 'r']);
    return execFileSync('cat', [join(directory, 'out')], {encoding: 'utf8'}).split('\0').slice(0, -1);
  };
  const variables = new Map([['POD_NAME', 'etcd-1'], ['E', ''], ['TMP', 'unused']]);

  for (const script of scripts) {
    it(`reads the words that etcd gets: ${script.replaceAll('\n', '⏎')}`, () => {
      const container = {name: 'etcd', command: ['sh', '-c', script, 'zero', 'p q', 'r']};
      assert.deepEqual(commandLine(container, variables, {hostname: 'etcd-1', domain: 'x'}).words, observed(script));
    });

    it(`finds where more words can be put: ${script.replaceAll('\n', '⏎')}`, () => {
      const container = {name: 'etcd', command: ['sh', '-c', script, 'zero', 'p q', 'r']};
      const {words, insertion} = commandLine(container, variables, {hostname: 'etcd-1', domain: 'x'});
      assert.ok(insertion.type === 'script' && insertion.field === 'command' && insertion.index === 2);
      const changed = `${script.slice(0, insertion.start)}export N='m n'; ${script.slice(insertion.start, insertion.end)} 'more words'${script.slice(insertion.end)}`;
      assert.deepEqual(observed(changed), [...words, 'more words']);
    });
  }
});
