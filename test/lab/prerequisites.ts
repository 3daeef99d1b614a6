import {accessSync, constants, existsSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {delimiter, join} from 'node:path';
import {isUnified} from './cgroups.ts';
import {run} from './shell.ts';

/** Commands (or files) that the lab runs, and the Debian package that has each. */
const packages: readonly (readonly [needed: string, debianPackage: string])[] = [
  ['containerd', 'containerd'],
  ['ctr', 'containerd'],
  ['runc', 'runc'],
  ['/usr/lib/cni/ptp', 'containernetworking-plugins'],
  ['iptables-restore', 'iptables'],
  ['ip', 'iproute2'],
  ['socat', 'socat'],
  ['conntrack', 'conntrack'],
  ['/bin/busybox', 'busybox-static'],
  ['buildah', 'buildah'],
  ['unshare', 'util-linux'],
  ['nsenter', 'util-linux'],
  ['setpriv', 'util-linux'],
  ['flock', 'util-linux'],
  ['openssl', 'openssl'],
];

const otherWay =
  'The end-to-end tests also run on any cluster that KUBECONFIG names ("KUBECONFIG=... make e2e"), or on kind where Docker is ("make kind").';

/** The first Go that has `go build tool`; it fetches a newer toolchain by itself where a module asks for one. */
const oldestGo = {major: 1, minor: 24};

/** Checks that the lab can run here and installs missing Debian packages. Rejects with a sentence that says what is missing. */
export async function ensurePrerequisites(say: (line: string) => void): Promise<void> {
  if (process.platform !== 'linux') throw lacking('The lab needs Linux.');
  if (process.getuid?.() !== 0) throw lacking('The lab needs root, for namespaces, cgroups and mounts.');
  checkCgroups();
  await installMissing(say);
  await checkGo();
  raiseInotifyLimit(say);
}

/** Which Debian packages are missing, each once. */
export function missingPackages(isThere: (needed: string) => boolean): string[] {
  return [...new Set(packages.filter(([needed]) => !isThere(needed)).map(([, debianPackage]) => debianPackage))];
}

/** `go version` → what is wrong with it, or undefined. */
export function goProblem(version: string): string | undefined {
  const [, major, minor] = /go(\d+)\.(\d+)/.exec(version) ?? [];
  if (major === undefined || minor === undefined) return `"${version.trim()}" is no version of Go that the lab understands.`;
  const recent = Number(major) > oldestGo.major || (Number(major) === oldestGo.major && Number(minor) >= oldestGo.minor);
  return recent ? undefined : `The lab needs Go ${oldestGo.major}.${oldestGo.minor} or later, and this is ${major}.${minor}.`;
}

function lacking(sentence: string): Error {
  return new Error(`${sentence} ${otherWay}`);
}

function checkCgroups(): void {
  const needed = isUnified() ? ['cpu', 'cpuset', 'memory', 'pids'] : ['cpu', 'cpuacct', 'cpuset', 'memory', 'pids', 'devices', 'freezer'];
  const there = isUnified()
    ? readFileSync('/sys/fs/cgroup/cgroup.controllers', 'utf8').trim().split(' ')
    : needed.filter((controller) => existsSync(`/sys/fs/cgroup/${controller}/cgroup.procs`));
  const missing = needed.filter((controller) => !there.includes(controller));
  if (missing.length > 0) throw lacking(`The lab needs the cgroup controllers ${missing.join(', ')} below /sys/fs/cgroup.`);
}

async function checkGo(): Promise<void> {
  if (!isThere('go')) throw lacking(`The lab needs Go ${oldestGo.major}.${oldestGo.minor} or later, to build Kubernetes and etcd.`);
  const problem = goProblem(await run('go', ['version'], {environment: {GOTOOLCHAIN: 'local'}, directory: '/'}));
  if (problem !== undefined) throw lacking(problem);
}

function isThere(needed: string): boolean {
  const candidates = needed.startsWith('/') ? [needed] : (process.env['PATH'] ?? '').split(delimiter).map((directory) => join(directory, needed));
  return candidates.some((path) => {
    try {
      accessSync(path, constants.X_OK);
      // Debian's other busybox needs libraries, which an image of its own does not have.
      return !path.endsWith('/busybox') || isStatic(readFileSync(path));
    } catch {
      return false;
    }
  });
}

/** Whether a 64-bit ELF file asks for no dynamic loader: it has no program header PT_INTERP (3), see elf(5). */
export function isStatic(elf: Buffer): boolean {
  const start = Number(elf.readBigUInt64LE(32));
  const size = elf.readUInt16LE(54);
  const count = elf.readUInt16LE(56);
  return !Array.from({length: count}, (_, index) => elf.readUInt32LE(start + index * size)).includes(3);
}

async function installMissing(say: (line: string) => void): Promise<void> {
  const missing = missingPackages(isThere);
  if (missing.length === 0) return;
  if (!isThere('apt-get')) throw lacking(`The lab needs what Debian has in the packages ${missing.join(', ')}, and there is no apt-get here to install them.`);
  await installDebian(missing, say);
  const still = missingPackages(isThere);
  if (still.length > 0) throw lacking(`These packages are installed, but what the lab needs of them is not in PATH: ${still.join(', ')}.`);
}

async function installDebian(missing: readonly string[], say: (line: string) => void): Promise<void> {
  say(`installing Debian packages that are missing: ${missing.join(' ')}`);
  const options = ['-qq', '-y', '-o', 'DPkg::Lock::Timeout=300', '--no-install-recommends'];
  const environment = {DEBIAN_FRONTEND: 'noninteractive'};
  const allowServices = refuseServices();
  try {
    await run('apt-get', ['-qq', 'update'], {environment});
    await run('apt-get', ['install', ...options, ...missing], {environment});
  } finally {
    allowServices();
  }
}

/** Where the distributions put a browser that needs no display. */
const browsers = ['/usr/bin/chromium-headless-shell', '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

/** A browser for the tests of the report; undefined: there is none. */
export const browserPath = (): string | undefined => browsers.find(isThere);

/** Installs a browser where there is none. Only the tests of the report want one: where it cannot be had, that is said, and they are skipped. */
export async function ensureBrowser(say: (line: string) => void): Promise<void> {
  if (browserPath() !== undefined) return;
  try {
    await installDebian(['chromium-headless-shell'], say);
  } catch (error) {
    say(`no browser could be installed, so that the report is not opened in one: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** Packages such as containerd would start a service, which the lab does not need; see invoke-rc.d(8). */
function refuseServices(): () => void {
  const policy = '/usr/sbin/policy-rc.d';
  if (existsSync(policy)) return () => undefined;
  writeFileSync(policy, '#!/bin/sh\nexit 101\n', {mode: 0o755});
  return () => {
    rmSync(policy, {force: true});
  };
}

/** Each kubelet and containerd takes a handful of inotify instances, and 128, the kernel's default, are soon used up. */
function raiseInotifyLimit(say: (line: string) => void): void {
  const file = '/proc/sys/fs/inotify/max_user_instances';
  const wanted = 1024;
  const now = Number(readFileSync(file, 'utf8'));
  if (now >= wanted) return;
  writeFileSync(file, String(wanted));
  say(`raised fs.inotify.max_user_instances from ${now} to ${wanted} until the next boot`);
}
