/** A switch does not take the next word as its value: Go's flag package wants `--switch=value` for these. */
const switches = new Set([
  'client-cert-auth', 'auto-tls', 'peer-client-cert-auth', 'peer-auto-tls', 'strict-reconfig-check', 'enable-v2', 'enable-pprof', 'pre-vote',
  'force-new-cluster', 'socket-reuse-port', 'socket-reuse-address', 'unsafe-no-fsync', 'unsafe-no-sync', 'version', 'debug', 'log-rotation',
  'enable-log-rotation', 'initial-election-tick-advance', 'peer-skip-client-san-verification', 'feature-gates-help', 'help', 'h',
  'enable-distributed-tracing', 'memory-mlock', 'enable-grpc-gateway', 'txn-mode-write-with-shared-buffer', 'initial-corrupt-check',
  'compact-hash-check-enabled', 'enable-lease-checkpoint', 'enable-lease-checkpoint-persist', 'stop-grpc-service-on-defrag',
]);

function isSwitch(flag: string): boolean {
  return switches.has(flag) || switches.has(flag.replace(/^experimental-/, ''));
}

export type Flags = {ok: true; flags: Map<string, string>} | {ok: false; word: string};

/** Reads the words after `etcd` as Go's flag package does; the last of several wins. A word that is no flag ends it badly. */
export function parseFlags(words: readonly string[]): Flags {
  const flags = new Map<string, string>();
  for (let index = 0; index < words.length; index += 1) {
    const word = words[index] ?? '';
    const match = /^--?([A-Za-z][\w-]*)(?:=([\s\S]*))?$/.exec(word);
    const name = match?.[1];
    if (name === undefined) return {ok: false, word};
    if (match?.[2] !== undefined) {
      flags.set(name, match[2]);
    } else if (isSwitch(name)) {
      flags.set(name, 'true');
    } else {
      index += 1;
      const value = words[index];
      if (value === undefined) return {ok: false, word};
      flags.set(name, value);
    }
  }
  return {ok: true, flags};
}

/** etcd reads `ETCD_` + the flag's name for a flag that is not on its command line (pkg/flags). */
export function environmentName(flag: string): string {
  return `ETCD_${flag.toUpperCase().replaceAll('-', '_')}`;
}

/** Variables of the etcd command line from an environment; an empty value counts as not set. */
export function flagsOfEnvironment(variables: ReadonlyMap<string, string>): Map<string, string> {
  const flags = new Map<string, string>();
  for (const [name, value] of variables) {
    const match = /^ETCD_([A-Z0-9_]+)$/.exec(name);
    if (match?.[1] === undefined || value === '' || isServiceVariable(match[1])) continue;
    flags.set(match[1].toLowerCase().replaceAll('_', '-'), value);
  }
  return flags;
}

/** What the kubelet sets for a Service named etcd or etcd-*: ETCD_SERVICE_HOST, ETCD_PORT_2379_TCP_ADDR, ETCD_PORT. */
function isServiceVariable(name: string): boolean {
  return /(^|_)(SERVICE_(HOST|PORT)|PORT(_\d+_(TCP|UDP)(_|$)|$))/.test(name);
}

export function isTrue(value: string | undefined): boolean {
  return value !== undefined && /^(1|t|true)$/i.test(value);
}

/** True for `etcd` and for a path that ends in it. */
export function isEtcdBinary(word: string): boolean {
  return /(^|\/)etcd$/.test(word);
}
