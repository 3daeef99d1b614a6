import {z} from 'zod';
import {parseSelector} from '../kubernetes/selectors.ts';
import {logLevels} from './log.ts';

/** One setting: a flag, an environment variable, what it means. The order of the table is that of the help text. */
export interface Setting {
  flag: string;
  env: string;
  /** Shown in the help; undefined: there is none. */
  fallback: string | undefined;
  /** How the value is written: `NAME`, `SECONDS`; empty for a switch. */
  value: string;
  meaning: string;
  schema: z.ZodType;
}

const seconds = (least: number) => z.coerce.number({error: 'must be a number of seconds'}).min(least, {error: `must be at least ${least} seconds`});
const label = z.string().max(63).regex(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/, {error: 'must be a name of lower-case letters, digits and dashes'});
const objectName = z.string().max(253).regex(/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/, {error: 'must be a name of lower-case letters, digits, dashes and dots'});
const switched = z.enum(['true', 'false'], {error: 'must be true or false'}).transform((value) => value === 'true');
const text = z.string().min(1, {error: 'must not be empty'});
const selector = z.string().transform((value) => value.trim()).superRefine((value, context) => {
  try {
    parseSelector(value);
  } catch (error) {
    context.addIssue({code: 'custom', message: `must be a label selector (${error instanceof Error ? error.message : String(error)})`});
  }
});
const list = z.string().transform((value) => value.split(',').map((part) => part.trim()).filter((part) => part !== '')).pipe(z.array(label));

export const settings = {
  kubeconfig: {
    flag: 'kubeconfig', env: 'KUBECONFIG', fallback: undefined, value: 'PATH', schema: text,
    meaning: 'Kubeconfig to reach the cluster with. Without it: ~/.kube/config, or the service account of the pod.',
  },
  namespaces: {
    flag: 'namespaces', env: 'WATCH_NAMESPACES', fallback: '', value: 'NAMES', schema: list,
    meaning: 'Namespaces whose QuorumRecoveries are served, separated by commas. Empty: all of them.',
  },
  excludedNamespaces: {
    flag: 'exclude-namespaces', env: 'EXCLUDE_NAMESPACES', fallback: '', value: 'NAMES', schema: list,
    meaning: 'Namespaces whose QuorumRecoveries are left to another installation, separated by commas. Not together with --namespaces.',
  },
  namespaceSelector: {
    flag: 'namespace-selector', env: 'NAMESPACE_SELECTOR', fallback: '', value: 'SELECTOR', schema: selector,
    meaning: 'Label selector of the namespaces whose QuorumRecoveries are served, e.g. team=db. Empty: all of them. Not together with --namespaces.',
  },
  resourceSelector: {
    flag: 'resource-selector', env: 'RESOURCE_SELECTOR', fallback: '', value: 'SELECTOR', schema: selector,
    meaning: 'Label selector of the QuorumRecoveries that are served, e.g. shard=a: the others are left to other installations. Empty: all of them.',
  },
  agentImage: {
    flag: 'agent-image', env: 'AGENT_IMAGE', fallback: undefined, value: 'IMAGE', schema: text,
    meaning: 'Image of the volume agent: the operator\'s own image. Without it nothing can be recovered.',
  },
  leaderElect: {
    flag: 'leader-elect', env: 'LEADER_ELECT', fallback: 'true', value: '', schema: switched,
    meaning: 'Hold a Lease, so that of several replicas only one acts. Switch it off only where just one process can ever run.',
  },
  leaseNamespace: {
    flag: 'lease-namespace', env: 'POD_NAMESPACE', fallback: undefined, value: 'NAME', schema: label,
    meaning: 'Namespace of the Lease. Without it: the namespace of the pod\'s service account.',
  },
  leaseName: {
    flag: 'lease-name', env: 'LEASE_NAME', fallback: 'quorum-recovery-operator', value: 'NAME', schema: objectName,
    meaning: 'Name of the Lease.',
  },
  leaseDurationSeconds: {
    flag: 'lease-duration', env: 'LEASE_DURATION', fallback: '15', value: 'SECONDS', schema: seconds(1),
    meaning: 'How long others wait after the leader\'s last renewal before one of them takes over.',
  },
  leaseRenewDeadlineSeconds: {
    flag: 'lease-renew-deadline', env: 'LEASE_RENEW_DEADLINE', fallback: '10', value: 'SECONDS', schema: seconds(0.5),
    meaning: 'How long a leader that cannot renew the Lease leads on. Shorter than the lease duration.',
  },
  leaseRetrySeconds: {
    flag: 'lease-retry-period', env: 'LEASE_RETRY_PERIOD', fallback: '2', value: 'SECONDS', schema: seconds(0.1),
    meaning: 'Time between two tries to take or renew the Lease.',
  },
  identity: {
    flag: 'identity', env: 'POD_NAME', fallback: undefined, value: 'NAME', schema: text,
    meaning: 'Name of this process in the Lease and in Events. Without it: the host name.',
  },
  resyncSeconds: {
    flag: 'resync', env: 'RESYNC_SECONDS', fallback: '30', value: 'SECONDS', schema: seconds(1),
    meaning: 'Every resource is looked at at least once in this time, even if nothing was heard of it; of a calm cluster one member is asked instead.',
  },
  concurrency: {
    flag: 'concurrent-reconciles', env: 'CONCURRENT_RECONCILES', fallback: '32', value: 'COUNT',
    schema: z.coerce.number({error: 'must be a number'}).int({error: 'must be a whole number'}).min(1, {error: 'must be at least 1'})
      .max(256, {error: 'must be at most 256'}),
    meaning: 'How many resources are worked on at the same time. Those that only their time brings up get an eighth of these places.',
  },
  concurrentRuns: {
    flag: 'concurrent-runs', env: 'CONCURRENT_RUNS', fallback: '20', value: 'COUNT',
    schema: z.coerce.number({error: 'must be a number'}).int({error: 'must be a whole number'}).min(1, {error: 'must be at least 1'}),
    meaning: 'How many runs may be at work when another one begins by itself. One that a person asks for begins at once.',
  },
  concurrentBackups: {
    flag: 'concurrent-backups', env: 'CONCURRENT_BACKUPS', fallback: '10', value: 'COUNT',
    schema: z.coerce.number({error: 'must be a number'}).int({error: 'must be a whole number'}).min(1, {error: 'must be at least 1'}),
    meaning: 'How many snapshots for spec.backups are taken at a time; the others wait, who was due first goes first.',
  },
  port: {
    flag: 'port', env: 'PORT', fallback: '8080', value: 'PORT',
    schema: z.coerce.number({error: 'must be a port number'}).int({error: 'must be a port number'}).min(0, {error: 'must be a port number'})
      .max(65_535, {error: 'must be a port number'}),
    meaning: 'Port of /healthz, /readyz and /metrics.',
  },
  logLevel: {
    flag: 'log-level', env: 'LOG_LEVEL', fallback: 'info', value: 'LEVEL', schema: z.enum(logLevels, {error: `must be one of ${logLevels.join(', ')}`}),
    meaning: `One of ${logLevels.join(', ')}.`,
  },
} as const satisfies Record<string, Setting>;

export type SettingName = keyof typeof settings;

/** The value of each setting after its schema; undefined where nothing was given and there is no default. */
export type SettingValues = {[N in SettingName]: z.output<(typeof settings)[N]['schema']> | (typeof settings[N]['fallback'] extends string ? never : undefined)};

/** The help text: each flag with its environment variable, its default and its meaning. */
export function helpText(version: string): string {
  const lines = Object.values(settings as Record<string, Setting>).flatMap(({flag, env, fallback, value, meaning}) => {
    const usage = value === '' ? `--${flag}[=true|false]` : `--${flag}=${value}`;
    const preset = fallback === undefined ? 'none' : fallback === '' ? 'empty' : fallback;
    return [`  ${usage}`, `      ${meaning}`, `      Environment: ${env}. Default: ${preset}.`, ''];
  });
  return [
    `quorum-recovery-operator ${version}`,
    'Recovers etcd clusters that run as StatefulSets from permanent loss of quorum.',
    '',
    'Usage: quorum-recovery-operator [flags]',
    '',
    'A flag wins over its environment variable.',
    '',
    ...lines,
    '  --help',
    '      Show this text.',
    '',
    '  --version',
    '      Show the version.',
    '',
  ].join('\n');
}
