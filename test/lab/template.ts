import {spawn} from 'node:child_process';
import {createHash} from 'node:crypto';
import {createReadStream, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, utimesSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {basename, join} from 'node:path';
import {removeOlder} from './images.ts';
import {withLock} from './lock.ts';
import {stateDirectory} from './paths.ts';
import {run, waitFor} from './shell.ts';

/**
 * A directory of containerd with these images imported and unpacked, made once per set of images; `more` on top of a
 * template that has only `archives`. A new node gets a copy of hard links, which takes no time, and is safe since
 * containerd writes neither to a blob nor to a committed snapshot.
 */
export async function containerdTemplate(archives: readonly string[], more: readonly string[], say: (line: string) => void): Promise<string> {
  const base = await templateOf(archives, (directory) => {
    mkdirSync(directory, {recursive: true});
    return importOffline(directory, archives, say);
  });
  if (more.length === 0) return base;
  return await templateOf([...archives, ...more], async (directory) => {
    await copyTemplate(base, directory);
    await importOffline(directory, more, say);
  });
}

async function templateOf(archives: readonly string[], make: (directory: string) => Promise<void>): Promise<string> {
  const hash = createHash('sha256').update(archives.map((archive) => basename(archive)).join('\0'));
  const directory = join(stateDirectory(), '.templates');
  const template = join(directory, `images-${hash.digest('hex').slice(0, 12)}`);
  await withLock(join(directory, 'lock'), async () => {
    if (!existsSync(template)) {
      rmSync(`${template}.unfinished`, {recursive: true, force: true});
      await make(`${template}.unfinished`);
      renameSync(`${template}.unfinished`, template);
    }
    utimesSync(template, new Date(), new Date());
    removeOlder(directory, 'images', 4);
  });
  return template;
}

/** A copy of a template (or of a copy of one) that can be changed: what containerd never writes to again is hard links. */
export async function copyTemplate(template: string, target: string): Promise<void> {
  rmSync(target, {recursive: true, force: true});
  await run('cp', ['-a', '--link', template, target]);
  // Databases are written in place, so these must not be shared.
  const databases = (await run('find', [target, '-name', '*.db', '-type', 'f'])).trim().split('\n');
  for (const database of databases) {
    await run('cp', ['-a', database, `${database}.copy`]);
    renameSync(`${database}.copy`, database);
  }
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
    for (const archive of archives) await importArchive(['ctr', '-a', socket], archive);
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

/** `ctr` is the command that speaks to the wanted containerd. */
export async function importArchive(ctr: readonly string[], archive: string): Promise<void> {
  const [program = 'ctr', ...args] = ctr;
  await new Promise<void>((resolve, reject) => {
    const child = spawn(program, [...args, '-n', 'k8s.io', 'images', 'import', '-'], {stdio: ['pipe', 'ignore', 'pipe']});
    let errors = '';
    child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
    child.stdin.on('error', () => undefined);
    child.on('error', reject);
    child.on('exit', (status) => {
      if (status === 0) resolve();
      else reject(new Error(`the import of ${archive} failed: ${errors.trim()}`));
    });
    createReadStream(archive).on('error', reject).pipe(child.stdin);
  });
}
