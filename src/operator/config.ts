import {readFileSync} from 'node:fs';
import {hostname} from 'node:os';
import {helpText, settings} from './settings.ts';
import type {Setting, SettingName, SettingValues} from './settings.ts';
import type {LogLevel} from './log.ts';

export interface OperatorConfig {
  /** undefined: client-node's default order (KUBECONFIG, ~/.kube/config, service account). */
  kubeconfig: string | undefined;
  /** Empty: all. */
  namespaces: string[];
  /** Of all namespaces, these are not served. Empty where `namespaces` is not. */
  excludedNamespaces: string[];
  /** Label selector of namespaces, and of resources; empty: all. */
  namespaceSelector: string;
  resourceSelector: string;
  agentImage: string | undefined;
  leaderElect: boolean;
  lease: {namespace: string; name: string; durationMs: number; renewDeadlineMs: number; retryMs: number};
  /** Name of this process, for people. */
  identity: string;
  resyncMs: number;
  concurrency: number;
  concurrentRuns: number;
  concurrentBackups: number;
  port: number;
  logLevel: LogLevel;
  version: string;
}

/** What the command line asks for. */
export type Invocation =
  | {kind: 'Run'; config: OperatorConfig}
  /** Print the text on standard output and exit with 0. */
  | {kind: 'Show'; text: string}
  /** Print the message on standard error and exit with 2. */
  | {kind: 'Refuse'; message: string};

/** What the configuration reads besides flags and environment; injected in tests. */
export interface Surroundings {
  /** The file's content, or undefined if it cannot be read. */
  readFile(path: string): string | undefined;
  hostname(): string;
}

const systemSurroundings: Surroundings = {
  readFile: (path) => {
    try {
      return readFileSync(path, 'utf8');
    } catch {
      return undefined;
    }
  },
  hostname,
};

const namespaceFile = '/var/run/secrets/kubernetes.io/serviceaccount/namespace';

class ConfigError extends Error {}

const byName: Record<string, Setting> = settings;
const byFlag = new Map(Object.entries(byName).map(([name, setting]) => [setting.flag, {name, setting}]));

/** The operator's own version, from the package that it was built from. */
export function operatorVersion(surroundings: Surroundings = systemSurroundings): string {
  const text = surroundings.readFile(new URL('../../package.json', import.meta.url).pathname);
  const parsed = text === undefined ? undefined : JSON.parse(text) as {version?: string};
  return parsed?.version ?? 'unknown';
}

/** Flags as `--flag=value` or `--flag value`; a switch may stand alone. Later ones win. */
function readFlags(args: readonly string[]): Map<string, string> {
  const given = new Map<string, string>();
  const rest = [...args];
  for (let arg = rest.shift(); arg !== undefined; arg = rest.shift()) {
    const [, flag = '', value] = /^--([a-z-]+)(?:=(.*))?$/s.exec(arg) ?? [];
    const known = byFlag.get(flag);
    if (known === undefined) throw new ConfigError(`unknown ${arg.startsWith('-') ? 'flag' : 'argument'} ${arg}; see --help for those that exist`);
    if (value !== undefined) given.set(known.name, value);
    else if (known.setting.value === '') given.set(known.name, 'true');
    else {
      const next = rest.shift();
      if (next === undefined || next.startsWith('--')) throw new ConfigError(`--${flag} needs a value: --${flag}=${known.setting.value}`);
      given.set(known.name, next);
    }
  }
  return given;
}

function readSettings(flags: ReadonlyMap<string, string>, env: Readonly<Record<string, string | undefined>>): SettingValues {
  const entries = Object.entries(byName).map(([name, setting]) => {
    const fromEnv = env[setting.env];
    const raw = flags.get(name) ?? (fromEnv === '' ? undefined : fromEnv) ?? setting.fallback;
    if (raw === undefined) return [name, undefined] as const;
    const parsed = setting.schema.safeParse(raw);
    if (parsed.success) return [name, parsed.data] as const;
    const source = flags.has(name) ? `--${setting.flag}` : `${setting.env} (--${setting.flag})`;
    throw new ConfigError(`${source} ${parsed.error.issues[0]?.message ?? 'is not valid'}, but is ${JSON.stringify(raw)}`);
  });
  return Object.fromEntries(entries) as SettingValues;
}

function checkLease(values: SettingValues): void {
  const flag = (name: SettingName) => `--${settings[name].flag}`;
  if (values.leaseDurationSeconds <= values.leaseRenewDeadlineSeconds) {
    throw new ConfigError(`${flag('leaseDurationSeconds')} (${values.leaseDurationSeconds} s) must be longer than `
      + `${flag('leaseRenewDeadlineSeconds')} (${values.leaseRenewDeadlineSeconds} s), or two processes could lead at once`);
  }
  if (values.leaseRenewDeadlineSeconds <= values.leaseRetrySeconds * 1.2) {
    throw new ConfigError(`${flag('leaseRenewDeadlineSeconds')} (${values.leaseRenewDeadlineSeconds} s) must be longer than 1.2 times `
      + `${flag('leaseRetrySeconds')} (${values.leaseRetrySeconds} s)`);
  }
}

/** A namespace that is named to be served and to be left out: nobody could tell which of the two is meant. */
function checkNamespaces({namespaces, excludedNamespaces, namespaceSelector}: SettingValues): void {
  const flag = (name: SettingName) => `--${settings[name].flag}`;
  if (namespaces.length > 0 && excludedNamespaces.length > 0) {
    throw new ConfigError(`${flag('excludedNamespaces')} leaves namespaces out of all, so that ${flag('namespaces')} cannot be given with it`);
  }
  if (namespaces.length > 0 && namespaceSelector !== '') {
    throw new ConfigError(`${flag('namespaceSelector')} picks namespaces by their labels and ${flag('namespaces')} by their names: give one of them`);
  }
}

/** Labels change while a run is in flight, and who carries it out is told by the Lease. */
function checkSelectors({namespaceSelector, resourceSelector, leaderElect}: SettingValues): void {
  if (leaderElect || (namespaceSelector === '' && resourceSelector === '')) return;
  const name: SettingName = namespaceSelector === '' ? 'resourceSelector' : 'namespaceSelector';
  throw new ConfigError(`--${settings[name].flag} needs --${settings.leaderElect.flag}: by its Lease other installations know that this one still carries out a run`);
}

/** The namespace of the Lease: needed only where there is an election. */
function leaseNamespaceOf(values: SettingValues, surroundings: Surroundings): string {
  const namespace = values.leaseNamespace ?? surroundings.readFile(namespaceFile)?.trim() ?? '';
  if (values.leaderElect && namespace === '') {
    throw new ConfigError('--lease-namespace (or POD_NAMESPACE) is needed outside a pod, or --leader-elect=false');
  }
  return namespace;
}

function readConfig(args: readonly string[], env: Readonly<Record<string, string | undefined>>, surroundings: Surroundings): OperatorConfig {
  const flags = readFlags(args);
  const values = readSettings(flags, env);
  checkLease(values);
  checkNamespaces(values);
  checkSelectors(values);
  const {namespaces, excludedNamespaces, namespaceSelector, resourceSelector, agentImage, leaderElect, concurrency, concurrentRuns, concurrentBackups, port, logLevel} = values;
  return {
    // KUBECONFIG may be a list of files, which only client-node's own reading of it merges.
    kubeconfig: flags.has('kubeconfig') ? values.kubeconfig : undefined,
    namespaces, excludedNamespaces, namespaceSelector, resourceSelector, agentImage, leaderElect, concurrency, concurrentRuns, concurrentBackups, port, logLevel,
    lease: {
      namespace: leaseNamespaceOf(values, surroundings),
      name: values.leaseName,
      durationMs: values.leaseDurationSeconds * 1000,
      renewDeadlineMs: values.leaseRenewDeadlineSeconds * 1000,
      retryMs: values.leaseRetrySeconds * 1000,
    },
    identity: values.identity ?? surroundings.hostname(),
    resyncMs: values.resyncSeconds * 1000,
    version: operatorVersion(surroundings),
  };
}

/** The operator's configuration from its command line (without node and script) and its environment. */
export function parseConfig(
  args: readonly string[], env: Readonly<Record<string, string | undefined>>, surroundings: Surroundings = systemSurroundings,
): Invocation {
  const version = operatorVersion(surroundings);
  if (args.includes('--help') || args.includes('-h')) return {kind: 'Show', text: helpText(version)};
  if (args.includes('--version')) return {kind: 'Show', text: `${version}\n`};
  try {
    return {kind: 'Run', config: readConfig(args, env, surroundings)};
  } catch (error) {
    if (error instanceof ConfigError) return {kind: 'Refuse', message: error.message};
    throw error;
  }
}
