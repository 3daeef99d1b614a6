import assert from 'node:assert/strict';
import {existsSync, mkdirSync, readdirSync, symlinkSync} from 'node:fs';
import {join} from 'node:path';
import {isLocked} from '../../../src/agent/locks.ts';
import {newVolume, refuse, removeVolumes, snapshotOf, succeed, writeData} from './volumes.ts';

describe('agent path safety', () => {
  afterEach(removeVolumes);

  it('refuses directories outside the volume, by their text and through links', () => {
    const root = newVolume();
    const outside = newVolume();
    writeData(outside);
    const before = snapshotOf(outside);
    symlinkSync(outside, join(root, 'data'));
    symlinkSync(outside, join(root, 'way'));
    symlinkSync('nowhere', join(root, 'dangling'));
    for (const path of [outside, join(root, '..', 'x'), join(root, 'data'), join(root, 'way', 'sub'), join(root, 'dangling', 'sub')]) {
      for (const command of ['inspect', 'copy', 'set-aside', 'restore-copy', 'prune']) {
        assert.equal(refuse(command, '--root', root, '--data-dir', path, '--run', 'r1').reason, 'UnsafePath', `${command} ${path}`);
      }
    }
    assert.deepEqual(snapshotOf(outside), before);
  });

  it('follows a link on the way as long as it stays on the volume', () => {
    const root = newVolume();
    writeData(join(root, 'real', 'data'));
    symlinkSync('real', join(root, 'way'));
    succeed('set-aside', '--root', root, '--data-dir', join(root, 'way', 'data'), '--run', 'r1');
    assert.ok(existsSync(join(root, '.quorumrecovery', 'r1', 'set-aside', 'member', 'snap', 'db')));
  });

  it('accepts a mount point that is itself reached through a link', () => {
    const root = newVolume();
    const link = join(newVolume(), 'mount');
    symlinkSync(root, link);
    writeData(join(root, 'data'));
    succeed('set-aside', '--root', link, '--data-dir', join(link, 'data'), '--run', 'r1');
    assert.ok(readdirSync(root).includes('.quorumrecovery'));
  });

  it('refuses links in the place of the member directory, the WAL directory and its own directories', () => {
    const outside = newVolume();
    writeData(outside);
    const before = snapshotOf(outside);
    const links = ['member', 'wal', '.quorumrecovery', join('.quorumrecovery', 'r1')];
    for (const link of links) {
      const root = newVolume();
      mkdirSync(join(root, link, '..'), {recursive: true});
      symlinkSync(outside, join(root, link));
      for (const command of ['copy', 'set-aside', 'restore-copy', 'prune']) {
        const failure = refuse(command, '--root', root, '--data-dir', root, '--run', 'r1', '--wal-dir', join(root, 'wal'));
        assert.equal(failure.reason, 'UnsafePath', `${command} with ${link}`);
      }
    }
    assert.deepEqual(snapshotOf(outside), before);
    const inside = newVolume();
    mkdirSync(join(inside, 'member'));
    symlinkSync(outside, join(inside, 'member', 'wal'));
    assert.equal(refuse('inspect', '--root', inside, '--data-dir', inside, '--run', 'r1').reason, 'UnsafePath');
  });

  it('refuses a WAL directory that is a volume\'s root or holds the data directory, and directories in its own', () => {
    const root = newVolume();
    const walRoot = newVolume();
    const cases = [
      ['--data-dir', join(root, 'a', 'data'), '--wal-dir', join(root, 'a')],
      ['--data-dir', join(root, 'data'), '--wal-dir', walRoot, '--wal-root', walRoot],
      ['--data-dir', join(root, 'data'), '--wal-dir', join(root, '.quorumrecovery', 'wal')],
      ['--data-dir', join(root, '.quorumrecovery', 'data')],
    ];
    for (const flags of cases) {
      assert.equal(refuse('set-aside', '--root', root, '--run', 'r1', ...flags).reason, 'BadUsage', flags.join(' '));
    }
    assert.deepEqual(readdirSync(root), []);
  });
});

describe('isLocked', () => {
  const locks = [
    '1: FLOCK  ADVISORY  WRITE 32436 fe:00:9977953 0 EOF',
    '1: -> FLOCK  ADVISORY  WRITE 32500 fe:00:9977953 0 EOF',
    '2: OFDLCK ADVISORY  WRITE -1 08:101:77 0 EOF',
    '',
  ].join('\n');

  it('finds a file by device and inode', () => {
    assert.equal(isLocked(locks, [{dev: 65024, ino: 9977953}]), true);
    assert.equal(isLocked(locks, [{dev: 0x8 << 8 | 0x01 | 0x100 << 12, ino: 77}]), true);
  });

  it('does not take the same inode on another device, or another inode, for it', () => {
    assert.equal(isLocked(locks, [{dev: 65025, ino: 9977953}, {dev: 65024, ino: 997795}]), false);
    assert.equal(isLocked('', [{dev: 65024, ino: 9977953}]), false);
  });
});
