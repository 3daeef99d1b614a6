import {spawn} from 'node:child_process';
import {createHash} from 'node:crypto';
import {once} from 'node:events';
import {createReadStream, existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync, utimesSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {basename, join} from 'node:path';
import {newestFirst, removeOlder, removeUnused} from './cache.ts';
import {pipeline} from 'node:stream/promises';
import type {Readable} from 'node:stream';
import {withLock} from './lock.ts';
import {stateDirectory} from './paths.ts';
import {run, waitFor} from './shell.ts';

/** Days after which a template that nobody used goes. */
const keepUnusedDays = 14;

/**
 * A directory of containerd with these images imported and unpacked, made once per set of images; `more` on top of a
 * template that has only `images`. A new node gets a copy of hard links, which takes no time, and is safe since
 * containerd writes neither to a blob nor to a committed snapshot.
 */
export async function containerdTemplate(images: readonly string[], more: readonly string[], say: (line: string) => void): Promise<string> {
  const base = await templateOf(`base-${hashOf(imageNames(images))}`, images, (directory) => {
    mkdirSync(directory, {recursive: true});
    return importOffline(directory, images, say);
  });
  if (more.length === 0) return base;
  // An earlier build of the same images has most of their layers.
  const kind = `more-${hashOf([...images, ...imageNames(more)])}`;
  return await templateOf(kind, more, async (directory) => {
    await copyTemplate(newest(kind) ?? base, directory);
    await importOffline(directory, more, say);
  });
}

async function templateOf(kind: string, images: readonly string[], make: (directory: string) => Promise<void>): Promise<string> {
  const template = join(templatesDirectory(), `${kind}-${hashOf(images)}`);
  await withLock(join(templatesDirectory(), 'lock'), async () => {
    if (!existsSync(template)) {
      rmSync(`${template}.unfinished`, {recursive: true, force: true});
      await make(`${template}.unfinished`);
      renameSync(`${template}.unfinished`, template);
    }
    utimesSync(template, new Date(), new Date());
    removeOlder(templatesDirectory(), kind, 2);
    removeUnused(templatesDirectory(), keepUnusedDays);
  });
  return template;
}

function templatesDirectory(): string {
  return join(stateDirectory(), '.templates');
}

/** The template of a kind that was used last. */
function newest(kind: string): string | undefined {
  return newestFirst(templatesDirectory(), kind)[0];
}

/** Names without the hash of the content that the cache gives them. */
function imageNames(images: readonly string[]): string[] {
  return images.map((image) => basename(image).replace(/-[0-9a-f]{12}(\.tar)?$/, ''));
}

function hashOf(images: readonly string[]): string {
  return createHash('sha256').update(images.map(contentName).join('\0')).digest('hex').slice(0, 12);
}

/** The cache's own names tell their content; any other file may be another one under the same name. */
function contentName(image: string): string {
  const name = basename(image);
  if (/-[0-9a-f]{12}(\.tar)?$/.test(name) || !existsSync(image)) return name;
  const {size, mtimeMs} = statSync(image);
  return `${name} ${size} ${mtimeMs}`;
}

/**
 * A copy of a template (or of a copy of one) that can be changed: what containerd never writes to again is hard links. No containerd may use
 * either meanwhile. The target appears whole: one that was cut off would share its databases with the template.
 */
export async function copyTemplate(template: string, target: string): Promise<void> {
  const unfinished = `${target}.unfinished`;
  rmSync(unfinished, {recursive: true, force: true});
  await run('cp', ['-a', '--link', '--no-target-directory', template, unfinished]);
  // Databases are written in place, so these must not be shared.
  const databases = (await run('find', [unfinished, '-name', '*.db', '-type', 'f'])).split('\n').filter((line) => line !== '');
  for (const database of databases) {
    await run('cp', ['-a', database, `${database}.copy`]);
    renameSync(`${database}.copy`, database);
  }
  rmSync(target, {recursive: true, force: true});
  renameSync(unfinished, target);
}

/** Imports into a directory of containerd that no containerd uses now, by one that is started for it. */
export async function importOffline(directory: string, archives: readonly string[], say: (line: string) => void): Promise<void> {
  const begin = Date.now();
  // The path of a UNIX socket has to be short.
  const state = mkdtempSync(join(tmpdir(), 'lab-'));
  const socket = join(state, 'containerd.sock');
  const config = `version = 2
root = "${directory}"
state = "${state}"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
  address = "${socket}"
# What it has no use for goes at its start, and not later: an import names the new image before it has unpacked it, and a collection in
# between takes the layers that it shares with the one before ("parent snapshot ... does not exist").
[plugins."io.containerd.gc.v1.scheduler"]
  startup_delay = "0s"
  mutation_threshold = 1000000000
`;
  writeFileSync(join(state, 'config.toml'), config);
  // In mount and PID namespaces of its own, which end with this process: nothing of it stays, however this ends.
  const isolated = ['--mount', '--pid', '--fork', '--mount-proc', '--kill-child'];
  const containerd = spawn('setpriv', ['--pdeathsig', 'KILL', 'unshare', ...isolated, 'containerd', '--config', join(state, 'config.toml')], {stdio: ['ignore', 'ignore', 'pipe']});
  let log = '';
  containerd.stderr.on('data', (chunk: Buffer) => (log = (log + chunk.toString()).slice(-4000)));
  const ended = new Promise<void>((resolve) => containerd.once('exit', () => { resolve(); }));
  try {
    await waitFor('the start of containerd', 30, async () => (existsSync(socket) ? await run('ctr', ['-a', socket, 'version']) : undefined));
    for (const archive of archives) await importImage(['ctr', '-a', socket], archive, directory);
  } catch (error) {
    throw new Error(`containerd could not import the images: ${error instanceof Error ? error.message : String(error)}\n${log}`, {cause: error});
  } finally {
    // unshare(1) blocks SIGTERM; every database here survives a kill.
    containerd.kill('SIGKILL');
    await ended;
    rmSync(state, {recursive: true, force: true});
  }
  say(`imported ${archives.length} image${archives.length === 1 ? '' : 's'} for the nodes in ${((Date.now() - begin) / 1000).toFixed(1)} s`);
}

/**
 * Imports an archive (OCI or docker), or an OCI image layout, of which only what `directory`, the containerd's own, lacks
 * is sent. `ctr` is the command that speaks to that containerd.
 */
export async function importImage(ctr: readonly string[], image: string, directory: string): Promise<void> {
  const [program = 'ctr', ...args] = ctr;
  const child = spawn(program, [...args, '-n', 'k8s.io', 'images', 'import', '-'], {stdio: ['pipe', 'ignore', 'pipe']});
  let errors = '';
  child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
  const ended = once(child, 'exit');
  const source = statSync(image).isDirectory() ? layoutStream(image, directory) : createReadStream(image);
  // Where ctr ends early, its own words say why.
  await pipeline(source, child.stdin).catch((error: unknown) => (errors += String(error)));
  const [status] = (await ended) as [number | null];
  if (status !== 0) throw new Error(`the import of ${image} failed: ${errors.trim()}`);
}

/** A tar archive of an OCI image layout without the blobs that are in the directory of containerd already. */
function layoutStream(layout: string, directory: string): Readable {
  const known = join(directory, 'io.containerd.content.v1.content', 'blobs', 'sha256');
  const missing = readdirSync(join(layout, 'blobs', 'sha256')).filter((blob) => !existsSync(join(known, blob)));
  const files = ['oci-layout', 'index.json', ...missing.map((blob) => join('blobs', 'sha256', blob))];
  return spawn('tar', ['-C', layout, '-cf', '-', ...files], {stdio: ['ignore', 'pipe', 'ignore']}).stdout;
}
