import assert from 'node:assert/strict';
import {readFileSync} from 'node:fs';
import {goProblem, isStatic, missingPackages} from '../lab/prerequisites.ts';
import {quote} from '../lab/shell.ts';
import {defaultOf} from '../lab/stand-ins.ts';

describe('what the lab needs of the machine', () => {
  it('is nothing where every command is there', () => {
    assert.deepEqual(missingPackages(() => true), []);
  });

  it('names a package once, however many of its commands are missing', () => {
    assert.deepEqual(missingPackages((needed) => !['containerd', 'ctr', 'socat'].includes(needed)), ['containerd', 'socat']);
  });

  it('takes Go 1.24 and anything later', () => {
    assert.equal(goProblem('go version go1.24.0 linux/amd64\n'), undefined);
    assert.equal(goProblem('go version go2.0 linux/amd64\n'), undefined);
    assert.match(goProblem('go version go1.19.8 linux/amd64\n') ?? '', /needs Go 1\.24 or later, and this is 1\.19/);
    assert.match(goProblem('no idea') ?? '', /"no idea"/);
  });

  it('tells a program that needs a dynamic loader from one that does not', () => {
    assert.equal(isStatic(readFileSync(process.execPath)), false);
  });

  it('reads the base images from the Dockerfile\'s arguments', () => {
    assert.equal(defaultOf('ARG A=x:1\nARG RUN_IMAGE=y/z:2\nFROM ${A}\n', 'RUN_IMAGE'), 'y/z:2');
    assert.throws(() => defaultOf('FROM scratch\n', 'RUN_IMAGE'), /no ARG RUN_IMAGE/);
  });

  it('quotes a word for the shell only where it has to', () => {
    assert.equal(quote('--flag=/a/b:1'), '--flag=/a/b:1');
    assert.equal(quote('it\'s $HOME'), String.raw`'it'\''s $HOME'`);
  });
});
