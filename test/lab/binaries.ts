import {createHash} from 'node:crypto';
import {existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, utimesSync} from 'node:fs';
import {join} from 'node:path';
import {removeUnused} from './cache.ts';
import {withLock} from './lock.ts';
import {cacheDirectory, goModulesDirectory} from './paths.ts';
import {run} from './shell.ts';

/** The etcd versions that the lab has images of: before and after the fix of --force-new-cluster (3.5.22), and the later minors. */
export const etcdVersions = ['3.5.21', '3.5.35', '3.6.16', '3.7.3'] as const;
export type EtcdVersion = (typeof etcdVersions)[number];

const plainModules = ['kubernetes', 'coredns', 'local-path-provisioner', 'helm', 'pause', 'wal-oracle', 'promtool'] as const;
/** Not built with the lab: the first case, or the first run of the tests, that needs one waits for it. */
type LaterModule = 'versitygw';
export type GoModule = (typeof plainModules)[number] | LaterModule | `etcd-${EtcdVersion}`;

export const goModules: readonly GoModule[] = [...plainModules, ...etcdVersions.map((version): GoModule => `etcd-${version}`)];

/** Build tags. promtool without Prometheus' service discoveries, which bring the clients of a dozen clouds. */
const buildTags: Partial<Record<GoModule, string>> = {promtool: 'remove_all_sd'};

/** To be raised when the flags of the build change. */
const flagsVersion = '1';

/** Days after which a build that nobody used goes. */
const keepUnusedDays = 30;

/** Builds one module, unless that was done before, and returns the directory of its commands. */
export async function build(module: GoModule, say: (line: string) => void): Promise<string> {
  const source = join(goModulesDirectory, module);
  const target = join(cacheDirectory(), 'bin', `${module}-${hashOf(source)}`);
  await withLock(`${target}.lock`, async () => {
    if (!existsSync(target)) await buildInto(module, target, say);
  });
  utimesSync(target, new Date(), new Date());
  return target;
}

/** Builds every module, one after the other (the compiler uses all processors by itself). */
export async function buildAll(say: (line: string) => void): Promise<Map<GoModule, string>> {
  const built = new Map<GoModule, string>();
  for (const module of goModules) built.set(module, await build(module, say));
  // Another checkout may use another version at the same time, so what was used lately stays.
  removeUnused(join(cacheDirectory(), 'bin'), keepUnusedDays);
  return built;
}

async function buildInto(module: GoModule, target: string, say: (line: string) => void): Promise<void> {
  const source = join(goModulesDirectory, module);
  const begin = Date.now();
  say(`building ${module} from its Go module (once; the first time also downloads and can take minutes)`);
  const unfinished = `${target}.unfinished`;
  rmSync(unfinished, {recursive: true, force: true});
  mkdirSync(unfinished, {recursive: true});
  const packages = /^tool\b/m.test(readFileSync(join(source, 'go.mod'), 'utf8')) ? 'tool' : '.';
  const flags = ['-trimpath', `-tags=${buildTags[module] ?? ''}`, `-ldflags=${linkerFlags(module)}`];
  await run('go', ['build', ...flags, '-o', `${unfinished}/`, packages], {directory: source, environment: {CGO_ENABLED: '0', GOFLAGS: ''}});
  renameSync(unfinished, target);
  say(`built ${module} in ${Math.round((Date.now() - begin) / 1000)} s`);
}

/** A released Go module does not know its own version: Kubernetes' own build sets it like this, and clients read it from /version. */
function linkerFlags(module: GoModule): string {
  const flags = ['-s', '-w'];
  const version = /k8s\.io\/kubernetes v(\d+)\.(\d+)\.(\d+)/.exec(readFileSync(join(goModulesDirectory, 'kubernetes', 'go.mod'), 'utf8'));
  const [, major, minor, patch] = version ?? [];
  if (major === undefined || minor === undefined || patch === undefined) throw new Error('the kubernetes module names no version of k8s.io/kubernetes');
  const set = (variable: string, value: string): void => void flags.push(`-X=${variable}=${value}`);
  if (module === 'kubernetes') {
    for (const directory of ['k8s.io/component-base/version', 'k8s.io/client-go/pkg/version']) {
      set(`${directory}.gitVersion`, `v${major}.${minor}.${patch}`);
      set(`${directory}.gitMajor`, major);
      set(`${directory}.gitMinor`, minor);
      set(`${directory}.gitTreeState`, 'clean');
    }
  }
  if (module === 'helm') {
    // What `helm template` and `helm lint` take for the cluster's version.
    for (const directory of ['helm.sh/helm/v3/pkg/chartutil', 'helm.sh/helm/v3/pkg/lint/rules']) {
      set(`${directory}.k8sVersionMajor`, major);
      set(`${directory}.k8sVersionMinor`, minor);
    }
  }
  return flags.join(' ');
}

/** Changes when anything that goes into the build does. */
function hashOf(source: string): string {
  const hash = createHash('sha256').update(flagsVersion);
  for (const file of readdirSync(source).sort()) {
    if (file === 'go.mod' || file === 'go.sum' || file.endsWith('.go')) hash.update(`${file}\0`).update(readFileSync(join(source, file)));
  }
  return hash.digest('hex').slice(0, 12);
}
