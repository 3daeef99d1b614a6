import {createHash} from 'node:crypto';
import {cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, renameSync, rmSync, statSync, utimesSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {buildah} from './buildah.ts';
import {removeOlder} from './cache.ts';
import {withLock} from './lock.ts';
import {cacheDirectory, projectDirectory} from './paths.ts';
import {layoutOfDockerArchive} from './oci.ts';
import {ensurePrerequisites} from './prerequisites.ts';
import {run} from './shell.ts';
import {makeStandIns, readDockerfile, standInsKey} from './stand-ins.ts';

/** The image's name in manifests and in containerd. */
export const operatorImageReference = 'docker.io/library/quorum-recovery-operator:dev';

/** The name of its builds in the cache. */
const stem = 'quorum-recovery-operator';

/** What the image is made of, relative to the project. */
const inputs = ['Dockerfile', '.dockerignore', '.npmrc', 'package.json', 'package-lock.json', 'tsconfig.json', 'tsconfig.build.json', 'src'];

/** Milliseconds after which buildah's store, which only grows, is begun anew. */
const maximumStorageAge = 14 * 24 * 3600 * 1000;

/**
 * Builds the operator's image from the project's Dockerfile, unless the same was built before, and returns the path of it: an
 * OCI image layout, whose layers other builds share. `project` is the directory to build from.
 */
export async function operatorImage(say: (line: string) => void, project = projectDirectory): Promise<string> {
  await ensurePrerequisites(say);
  const bases = await standInsKey();
  const images = join(cacheDirectory(), 'images');
  const storage = join(cacheDirectory(), 'buildah');
  // A copy, so that what is built is what the hash was made of, whoever edits the project meanwhile.
  const context = mkdtempSync(join(tmpdir(), 'lab-'));
  try {
    for (const input of inputs) cpSync(join(project, input), join(context, input), {recursive: true});
    const layout = join(images, `${stem}-${inputsHash(context, bases)}`);
    await withLock(join(cacheDirectory(), 'buildah.lock'), async () => {
      if (!existsSync(layout)) {
        mkdirSync(images, {recursive: true});
        await ensureStandIns(storage, bases, say);
        await buildInto(layout, storage, context, say);
      }
      utimesSync(layout, new Date(), new Date());
      removeOlder(images, stem, 3);
    });
    return layout;
  } finally {
    rmSync(context, {recursive: true, force: true});
  }
}

async function ensureStandIns(storage: string, key: string, say: (line: string) => void): Promise<void> {
  const marker = join(storage, `stand-ins-${key}`);
  if (existsSync(marker) && Date.now() - statSync(marker).mtimeMs < maximumStorageAge) return;
  const begin = Date.now();
  await unmountBelow(storage);
  rmSync(storage, {recursive: true, force: true});
  mkdirSync(storage, {recursive: true});
  await makeStandIns(storage, readDockerfile());
  writeFileSync(marker, '');
  say(`made stand-ins for the base images in ${secondsSince(begin)} s`);
}

/** buildah leaves its overlay directory mounted upon itself, and what is mounted cannot be removed. */
async function unmountBelow(directory: string): Promise<void> {
  const mounted = readFileSync('/proc/self/mounts', 'utf8').split('\n').map((line) => line.split(' ')[1] ?? '').filter((path) => path.startsWith(`${directory}/`));
  for (const path of mounted.reverse()) await run('umount', [path]);
}

async function buildInto(layout: string, storage: string, context: string, say: (line: string) => void): Promise<void> {
  const begin = Date.now();
  // Chroot isolation uses the machine's network as it is, and leaves no bridge behind.
  const options = ['--isolation', 'chroot', '--network', 'host', '--pull=never', '--layers', '--force-rm', '--timestamp', '0'];
  await buildah(storage, ['build', ...options, '--tag', operatorImageReference, context]);
  const unfinished = `${layout}.unfinished`;
  rmSync(unfinished, {recursive: true, force: true});
  mkdirSync(unfinished);
  const archive = join(unfinished, 'archive.tar');
  await buildah(storage, ['push', operatorImageReference, `docker-archive:${archive}:${operatorImageReference}`]);
  const megabytes = Math.round(statSync(archive).size / 1_000_000);
  await run('tar', ['-C', unfinished, '-xf', archive]);
  layoutOfDockerArchive(unfinished);
  renameSync(unfinished, layout);
  say(`built the operator's image in ${secondsSince(begin)} s (${megabytes} MB)`);
}

/** Changes when the image would. */
function inputsHash(context: string, bases: string): string {
  const hash = createHash('sha256').update(bases);
  const add = (path: string): void => {
    if (statSync(join(context, path)).isDirectory()) {
      for (const name of readdirSync(join(context, path)).sort()) add(join(path, name));
    } else {
      hash.update(`\0${path}\0`).update(readFileSync(join(context, path)));
    }
  };
  for (const input of inputs) add(input);
  return hash.digest('hex').slice(0, 12);
}

function secondsSince(begin: number): string {
  return ((Date.now() - begin) / 1000).toFixed(1);
}
