import {createHash} from 'node:crypto';
import {existsSync, mkdirSync, readFileSync, renameSync, utimesSync, writeFileSync} from 'node:fs';
import {basename, join} from 'node:path';
import {build, etcdVersions} from './binaries.ts';
import type {EtcdVersion, GoModule} from './binaries.ts';
import {removeOlder} from './cache.ts';
import {withLock} from './lock.ts';
import {file, imageArchive} from './oci.ts';
import type {ImageConfig} from './oci.ts';
import {cacheDirectory} from './paths.ts';
import {run} from './shell.ts';
import type {TarEntry} from './tar.ts';

/** The version whose image there is with a shell too, for the `sh -c` form of a launch. */
export const shellVersion: EtcdVersion = '3.6.16';

/** To be raised when the content of the images changes. */
const imagesVersion = '1';

const busyboxPath = '/bin/busybox';

interface Recipe {
  reference: string;
  config: ImageConfig;
  /** What the content depends on; the archive is made anew when it changes. */
  key: string;
  files: () => Promise<TarEntry[]>;
}

/** The archives of every image that the lab itself needs, made where they are missing. `built` are the directories of the Go modules' commands. */
export async function baseImages(built: ReadonlyMap<GoModule, string>): Promise<string[]> {
  const recipes = [pause(directoryOf(built, 'pause')), busybox(), ...etcdVersions.map((version) => etcd(version, directoryOf(built, `etcd-${version}`)))];
  recipes.push(etcdWithShell(directoryOf(built, `etcd-${shellVersion}`)));
  const archives: string[] = [];
  for (const recipe of recipes) archives.push(await archiveOf(recipe));
  return archives;
}

/** The name of the image of a server that speaks S3. */
export const bucketServerReference = 'localhost/versitygw:1.8.0';

/** The archive of that image: no part of the lab, but of the cases that import it. */
export async function bucketServerImage(say: (line: string) => void): Promise<string> {
  const directory = await build('versitygw', say);
  const files = (): Promise<TarEntry[]> => Promise.resolve([command(join(directory, 'versitygw'), 'versitygw'), {path: 'tmp', kind: 'directory', mode: 0o1777}]);
  return await archiveOf({reference: bucketServerReference, config: {Entrypoint: ['/versitygw']}, key: basename(directory), files});
}

async function archiveOf(recipe: Recipe): Promise<string> {
  const hash = createHash('sha256').update(`${imagesVersion}\0${recipe.reference}\0${recipe.key}`).digest('hex').slice(0, 12);
  const stem = recipe.reference.replaceAll(/[^\w.-]/g, '-');
  const directory = join(cacheDirectory(), 'images');
  const archive = join(directory, `${stem}-${hash}.tar`);
  await withLock(join(directory, 'lock'), async () => {
    if (!existsSync(archive)) {
      mkdirSync(directory, {recursive: true});
      writeFileSync(`${archive}.new`, imageArchive(recipe.reference, recipe.config, await recipe.files()));
      renameSync(`${archive}.new`, archive);
    }
    utimesSync(archive, new Date(), new Date());
    removeOlder(directory, stem, 3);
  });
  return archive;
}

function pause(directory: string): Recipe {
  const files = (): Promise<TarEntry[]> => Promise.resolve([command(join(directory, 'pause'), 'pause')]);
  return {reference: 'localhost/pause:1', config: {Entrypoint: ['/pause'], User: '65535'}, key: basename(directory), files};
}

function busybox(): Recipe {
  return {reference: 'localhost/busybox:1', config: {Cmd: ['/bin/sh']}, key: fileHash(busyboxPath), files: busyboxFiles};
}

/** As in etcd's own image: the three commands, users, a place for temporary files, no shell. */
function etcd(version: EtcdVersion, directory: string): Recipe {
  const files = (): Promise<TarEntry[]> => Promise.resolve(etcdFiles(directory));
  return {reference: `localhost/etcd:${version}`, config: etcdConfig, key: basename(directory), files};
}

function etcdWithShell(directory: string): Recipe {
  const files = async (): Promise<TarEntry[]> => [...etcdFiles(directory), ...(await busyboxFiles())];
  return {reference: `localhost/etcd-shell:${shellVersion}`, config: etcdConfig, key: `${basename(directory)} ${fileHash(busyboxPath)}`, files};
}

const etcdConfig: ImageConfig = {Cmd: ['/usr/local/bin/etcd'], Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin']};

function etcdFiles(directory: string): TarEntry[] {
  return [
    ...[command(join(directory, 'server'), 'usr/local/bin/etcd'), command(join(directory, 'etcdctl'), 'usr/local/bin/etcdctl')],
    ...[command(join(directory, 'etcdutl'), 'usr/local/bin/etcdutl'), {path: 'tmp', kind: 'directory', mode: 0o1777} as const],
    file('etc/passwd', 'root:x:0:0:root:/root:/sbin/nologin\nnobody:x:65534:65534:nobody:/nonexistent:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n'),
    file('etc/group', 'root:x:0:\nnobody:x:65534:\nnonroot:x:65532:\n'),
    ...['var/etcd', 'var/lib/etcd', 'home/nonroot'].map((path): TarEntry => ({path, kind: 'directory', mode: 0o755})),
  ];
}

async function busyboxFiles(): Promise<TarEntry[]> {
  const applets = (await run(busyboxPath, ['--list'])).trim().split('\n');
  const links = applets.filter((name) => name !== 'busybox').map((name): TarEntry => ({path: `bin/${name}`, kind: 'link', mode: 0o777, target: 'busybox'}));
  return [command(busyboxPath, 'bin/busybox'), ...links];
}

function command(source: string, path: string): TarEntry {
  return file(path, readFileSync(source), 0o755);
}

function fileHash(path: string): string {
  return createHash('sha256').update(readFileSync(path)).digest('hex');
}

function directoryOf(built: ReadonlyMap<GoModule, string>, module: GoModule): string {
  const directory = built.get(module);
  if (directory === undefined) throw new Error(`the Go module ${module} was not built`);
  return directory;
}
