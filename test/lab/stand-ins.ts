import {createHash} from 'node:crypto';
import {cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {dirname, join} from 'node:path';
import {buildah} from './buildah.ts';
import {projectDirectory} from './paths.ts';
import {run} from './shell.ts';

/**
 * Images that stand in for the Dockerfile's base images, where no registry is asked: made of Debian's packages, the Node
 * that the project is developed with, and npm. They test the Dockerfile's steps, not the real bases' content.
 */

/** To be raised when the content changes. */
const standInsVersion = '2';

const nodeBinary = join(projectDirectory, 'node_modules', 'node', 'bin', 'node');

/** What Google's distroless images are made of. */
const distrolessPackages = ['base-files', 'netbase', 'tzdata', 'libc6', 'libgcc-s1', 'libstdc++6'];

const certificates = '/etc/ssl/certs/ca-certificates.crt';
const users = 'root:x:0:0:root:/root:/sbin/nologin\nnobody:x:65534:65534:nobody:/nonexistent:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n';
const groups = 'root:x:0:\nnobody:x:65534:\nnonroot:x:65532:\n';

/** Changes when the stand-ins have to be made anew. */
export async function standInsKey(): Promise<string> {
  if (!existsSync(nodeBinary)) throw new Error(`${nodeBinary} is not there; run "npm ci" first`);
  const version = await run(nodeBinary, ['--version']);
  return createHash('sha256').update(`${standInsVersion}\0${version}`).digest('hex').slice(0, 12);
}

/** Makes images under the names that the Dockerfile's ARGs default to. */
export async function makeStandIns(storage: string, dockerfile: string): Promise<void> {
  const work = mkdtempSync(join(tmpdir(), 'lab-'));
  try {
    const root = join(work, 'root');
    await extractPackages(work, root);
    writeCommonFiles(root);
    await makeImage(storage, work, defaultOf(dockerfile, 'RUN_IMAGE'), () => {
      install(nodeBinary, join(root, 'nodejs/bin/node'));
    });
    await makeImage(storage, work, defaultOf(dockerfile, 'BUILD_IMAGE'), async () => {
      rmSync(join(root, 'nodejs'), {recursive: true});
      install(nodeBinary, join(root, 'usr/local/bin/node'));
      await installTools(root);
    });
  } finally {
    rmSync(work, {recursive: true, force: true});
  }
}

/** The default of an ARG of a Dockerfile. */
export function defaultOf(dockerfile: string, argument: string): string {
  const found = new RegExp(`^ARG ${argument}=(\\S+)$`, 'm').exec(dockerfile)?.[1];
  if (found === undefined) throw new Error(`the Dockerfile has no ARG ${argument} with a default`);
  return found;
}

async function extractPackages(work: string, root: string): Promise<void> {
  const packages = join(work, 'packages');
  mkdirSync(packages);
  const download = (): Promise<string> => run('apt-get', ['-qq', '-o', 'APT::Sandbox::User=root', 'download', ...distrolessPackages], {directory: packages});
  // The lists can be missing or outdated.
  await download().catch(async () => {
    await run('apt-get', ['-qq', 'update']);
    await download();
  });
  mkdirSync(root);
  for (const file of (await run('ls', [packages])).trim().split('\n')) await run('dpkg-deb', ['-x', join(packages, file), root]);
  for (const part of ['usr/share/doc', 'usr/share/man', 'usr/share/lintian']) rmSync(join(root, part), {recursive: true, force: true});
}

function writeCommonFiles(root: string): void {
  for (const directory of ['etc/ssl/certs', 'home/nonroot', 'root']) mkdirSync(join(root, directory), {recursive: true});
  writeFileSync(join(root, 'etc/passwd'), users);
  writeFileSync(join(root, 'etc/group'), groups);
  writeFileSync(join(root, 'etc/nsswitch.conf'), 'hosts: files dns\n');
  install(certificates, join(root, certificates));
}

/** A shell with its usual commands, and npm, which in the build has to trust what the machine trusts. */
async function installTools(root: string): Promise<void> {
  install('/bin/busybox', join(root, 'bin/busybox'));
  for (const applet of (await run('/bin/busybox', ['--list-full'])).trim().split('\n')) {
    const link = join(root, applet);
    if (existsSync(link)) continue;
    mkdirSync(dirname(link), {recursive: true});
    symlinkSync('/bin/busybox', link);
  }
  await installNpm(root);
  symlinkSync('../lib/node_modules/npm/bin/npm-cli.js', join(root, 'usr/local/bin/npm'));
  mkdirSync(join(root, 'usr/local/etc'), {recursive: true});
  writeFileSync(join(root, 'usr/local/etc/npmrc'), `cafile=${certificates}\nupdate-notifier=false\n`);
}

/** npm as its own registry has it, in the machine's version: a distribution's keeps its parts elsewhere, and its prefix depends on the Node that runs it. */
async function installNpm(root: string): Promise<void> {
  const version = (await run('npm', ['--version'], {directory: '/'})).trim();
  const packed = mkdtempSync(join(tmpdir(), 'lab-'));
  try {
    const file = (await run('npm', ['pack', `npm@${version}`, '--silent'], {directory: packed})).trim().split('\n').at(-1) ?? '';
    const target = join(root, 'usr/local/lib/node_modules/npm');
    mkdirSync(target, {recursive: true});
    await run('tar', ['-xzf', join(packed, file), '--strip-components=1', '-C', target]);
  } finally {
    rmSync(packed, {recursive: true, force: true});
  }
}

async function makeImage(storage: string, work: string, name: string, fill: () => void | Promise<void>): Promise<void> {
  await fill();
  const context = join(work, 'context');
  mkdirSync(context, {recursive: true});
  await run('tar', ['--sort=name', '--mtime=@0', '--owner=0', '--group=0', '-C', join(work, 'root'), '-cf', join(context, 'root.tar'), '.']);
  const path = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
  writeFileSync(join(context, 'Dockerfile'), `FROM scratch\nADD root.tar /\nENV ${path} SSL_CERT_FILE=${certificates}\n`);
  await buildah(storage, ['build', '--isolation', 'chroot', '--timestamp', '0', '--tag', name, context]);
  rmSync(context, {recursive: true});
}

function install(source: string, target: string): void {
  mkdirSync(dirname(target), {recursive: true});
  cpSync(realpathSync(source), target);
}

/** The Dockerfile of the project. */
export function readDockerfile(): string {
  return readFileSync(join(projectDirectory, 'Dockerfile'), 'utf8');
}
