import {createHash} from 'node:crypto';
import {existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, statSync, utimesSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {buildah} from './buildah.ts';
import {removeOlder} from './images.ts';
import {withLock} from './lock.ts';
import {cacheDirectory, projectDirectory} from './paths.ts';
import {ensurePrerequisites} from './prerequisites.ts';
import {makeStandIns, readDockerfile, standInsKey} from './stand-ins.ts';

/** The image's name in manifests and in containerd. */
export const operatorImageReference = 'docker.io/library/quorum-recovery-operator:dev';

/** What the image is made of, relative to the project. */
const inputs = ['Dockerfile', '.dockerignore', '.npmrc', 'package.json', 'package-lock.json', 'tsconfig.json', 'tsconfig.build.json', 'src'];

/** Milliseconds after which buildah's store, which only grows, is begun anew. */
const maximumStorageAge = 14 * 24 * 3600 * 1000;

/**
 * Builds the operator's image from the project's Dockerfile, unless the same was built before, and returns the path of a
 * docker archive of it. `project` is the directory to build from.
 */
export async function operatorImage(say: (line: string) => void, project = projectDirectory): Promise<string> {
  await ensurePrerequisites(say);
  const bases = await standInsKey();
  const images = join(cacheDirectory(), 'images');
  const stem = 'quorum-recovery-operator';
  const archive = join(images, `${stem}-${inputsHash(project, bases)}.tar`);
  const storage = join(cacheDirectory(), 'buildah');
  await withLock(join(cacheDirectory(), 'buildah.lock'), async () => {
    if (!existsSync(archive)) {
      mkdirSync(images, {recursive: true});
      await ensureStandIns(storage, bases, say);
      await buildInto(archive, storage, project, say);
    }
    utimesSync(archive, new Date(), new Date());
    removeOlder(images, stem, 3);
  });
  return archive;
}

async function ensureStandIns(storage: string, key: string, say: (line: string) => void): Promise<void> {
  const marker = join(storage, `stand-ins-${key}`);
  if (existsSync(marker) && Date.now() - statSync(marker).mtimeMs < maximumStorageAge) return;
  const begin = Date.now();
  rmSync(storage, {recursive: true, force: true});
  mkdirSync(storage, {recursive: true});
  await makeStandIns(storage, readDockerfile());
  writeFileSync(marker, '');
  say(`made stand-ins for the base images in ${secondsSince(begin)} s`);
}

async function buildInto(archive: string, storage: string, project: string, say: (line: string) => void): Promise<void> {
  const begin = Date.now();
  // Chroot isolation uses the machine's network as it is, and leaves no bridge behind.
  const options = ['--isolation', 'chroot', '--network', 'host', '--pull=never', '--layers', '--timestamp', '0'];
  await buildah(storage, ['build', ...options, '--tag', operatorImageReference, project]);
  rmSync(`${archive}.new`, {force: true});
  await buildah(storage, ['push', operatorImageReference, `docker-archive:${archive}.new:${operatorImageReference}`]);
  renameSync(`${archive}.new`, archive);
  const megabytes = Math.round(statSync(archive).size / 1_000_000);
  say(`built the operator's image in ${secondsSince(begin)} s (${megabytes} MB)`);
}

/** Changes when the image would. */
function inputsHash(project: string, bases: string): string {
  const hash = createHash('sha256').update(bases);
  const add = (path: string): void => {
    if (!existsSync(join(project, path))) return;
    if (statSync(join(project, path)).isDirectory()) {
      for (const name of readdirSync(join(project, path)).sort()) add(join(path, name));
    } else {
      hash.update(`\0${path}\0`).update(readFileSync(join(project, path)));
    }
  };
  for (const input of inputs) add(input);
  return hash.digest('hex').slice(0, 12);
}

function secondsSince(begin: number): string {
  return ((Date.now() - begin) / 1000).toFixed(1);
}
