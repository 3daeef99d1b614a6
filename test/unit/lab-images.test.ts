import assert from 'node:assert/strict';
import {execFileSync} from 'node:child_process';
import {mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {file, imageArchive, layoutOfDockerArchive} from '../lab/oci.ts';
import {tar, withParents} from '../lab/tar.ts';

describe('the lab\'s images', () => {
  let directory: string;

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'lab-images-'));
  });

  afterEach(() => {
    rmSync(directory, {recursive: true});
  });

  it('are archives that tar reads, with modes, links and parents', () => {
    const archive = tar(withParents([file('usr/bin/tool', 'content', 0o755), {path: 'bin/sh', kind: 'link', mode: 0o777, target: 'busybox'}]));
    const listing = execFileSync('tar', ['-tvf', '-'], {input: archive, encoding: 'utf8'}).trim().split('\n');
    const short = listing.map((line) => [line.split(' ')[0], line.replace(/^.*\d\d:\d\d /, '')].join(' '));
    assert.deepEqual(short, ['drwxr-xr-x usr/', 'drwxr-xr-x usr/bin/', '-rwxr-xr-x usr/bin/tool', 'drwxr-xr-x bin/', 'lrwxrwxrwx bin/sh -> busybox']);
  });

  it('are the same bytes when they are made twice', () => {
    const make = (): Buffer => imageArchive('localhost/a:1', {Cmd: ['/a']}, [file('a', 'b', 0o755)]);
    assert.ok(make().equals(make()));
  });

  it('name the image as containerd wants it', () => {
    writeFileSync(join(directory, 'image.tar'), imageArchive('localhost/a:1', {Cmd: ['/a']}, [file('a', 'b', 0o755)]));
    execFileSync('tar', ['-C', directory, '-xf', join(directory, 'image.tar')]);
    assert.match(readFileSync(join(directory, 'index.json'), 'utf8'), /"io.containerd.image.name":"localhost\/a:1"/);
    assert.equal(readdirSync(join(directory, 'blobs', 'sha256')).length, 3);
  });

  it('become OCI layouts from docker archives, each layer under its own digest', () => {
    writeFileSync(join(directory, 'manifest.json'), JSON.stringify([{Config: 'c.json', RepoTags: ['docker.io/library/a:dev'], Layers: ['aa.tar', 'bb.tar']}]));
    writeFileSync(join(directory, 'c.json'), '{}');
    for (const layer of ['aa', 'bb']) writeFileSync(join(directory, `${layer}.tar`), layer);
    mkdirSync(join(directory, 'legacy'));
    layoutOfDockerArchive(directory);
    assert.deepEqual(readdirSync(directory).sort(), ['blobs', 'index.json', 'oci-layout']);
    const blobs = readdirSync(join(directory, 'blobs', 'sha256'));
    assert.ok(blobs.includes('aa') && blobs.includes('bb'));
    assert.match(readFileSync(join(directory, 'index.json'), 'utf8'), /"io.containerd.image.name":"docker.io\/library\/a:dev"/);
  });
});
