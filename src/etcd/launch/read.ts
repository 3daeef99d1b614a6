import {posix} from 'node:path';
import {isTrue} from './flags.ts';
import {unresolvedIn} from './placeholders.ts';
import type {Resolved} from './resolve.ts';
import {notUnderstood, resolve} from './resolve.ts';
import type {Launch, LaunchResult, LaunchSource, PeerTLS} from './types.ts';

/** Without these a member can neither be found nor started again; the rest may stay unknown. */
const needed = [
  'name', 'data-dir', 'wal-dir', 'listen-client-urls', 'advertise-client-urls', 'listen-peer-urls', 'initial-advertise-peer-urls',
  'listen-metrics-urls',
];

/** How the template's container starts etcd; a problem that names what to set where it cannot be told. */
export function readLaunch(source: LaunchSource): LaunchResult {
  const resolved = resolve(source);
  if (!resolved.ok) return resolved;
  for (const flag of needed) {
    const unresolved = unresolvedIn(resolved.settings.get(flag) ?? '');
    if (unresolved !== undefined) return notUnderstood(resolved.container, `${unresolved.replaceAll(/[<>]/g, '')} in --${flag}`);
  }
  return {ok: true, launch: toLaunch(resolved)};
}

function toLaunch({container, carrier, settings, line}: Resolved): Launch {
  const text = (flag: string, otherwise: string): string => settings.get(flag) ?? otherwise;
  const number = (flag: string): number | undefined => {
    const value = Number(settings.get(flag));
    return settings.has(flag) && Number.isFinite(value) ? value : undefined;
  };
  const name = text('name', 'default');
  const listenPeerURLs = urls(text('listen-peer-urls', 'http://localhost:2380'));
  const initialAdvertisePeerURLs = urls(text('initial-advertise-peer-urls', 'http://localhost:2380'));
  const listenClientURLs = urls(text('listen-client-urls', 'http://localhost:2379'));
  const walDir = text('wal-dir', '');
  const absolute = (path: string): string => (line.directory === undefined ? path : posix.resolve(line.directory, path));
  return {
    carrier,
    container: container.name,
    image: container.image ?? '',
    name,
    dataDir: absolute(text('data-dir', `${name}.etcd`)),
    walDir: walDir === '' ? undefined : absolute(walDir),
    listenClientURLs,
    advertiseClientURLs: urls(text('advertise-client-urls', 'http://localhost:2379')),
    listenPeerURLs,
    initialAdvertisePeerURLs,
    listenMetricsURLs: urls(text('listen-metrics-urls', '')),
    initialCluster: parseInitialCluster(text('initial-cluster', `${name}=${initialAdvertisePeerURLs.join(`,${name}=`)}`)),
    initialClusterState: text('initial-cluster-state', 'new'),
    initialClusterToken: settings.get('initial-cluster-token'),
    clientTLS: listenClientURLs.some(isTLS),
    // etcd asks clients for a certificate as soon as a CA for them is set (client/pkg/transport).
    clientCertAuth: isTrue(settings.get('client-cert-auth')) || text('trusted-ca-file', '') !== '',
    peerTLS: [...listenPeerURLs, ...initialAdvertisePeerURLs].some(isTLS) ? peerTLS(settings) : undefined,
    forceNewCluster: isTrue(settings.get('force-new-cluster')),
    quotaBackendBytes: number('quota-backend-bytes'),
    heartbeatMs: number('heartbeat-interval') ?? 100,
    electionMs: number('election-timeout') ?? 1000,
    settings: Object.fromEntries(settings),
  };
}

function urls(list: string): string[] {
  return list.split(',').map(url => url.trim()).filter(url => url !== '');
}

function isTLS(url: string): boolean {
  return /^(https|unixs):/.test(url);
}

/** `a=http://1,a=http://2,b=http://3`; a part that is not resolved stands under its own text. */
export function parseInitialCluster(value: string): Record<string, string[]> {
  const cluster: Record<string, string[]> = {};
  for (const part of value.split(',').map(text => text.trim()).filter(text => text !== '')) {
    const at = part.indexOf('=');
    if (at < 1) continue;
    (cluster[part.slice(0, at)] ??= []).push(part.slice(at + 1));
  }
  return cluster;
}

function peerTLS(settings: ReadonlyMap<string, string>): PeerTLS {
  const file = (flag: string): string | undefined => settings.get(flag) || undefined;
  const certFile = file('peer-cert-file');
  const keyFile = file('peer-key-file');
  const trustedCAFile = file('peer-trusted-ca-file');
  return {
    ...(certFile === undefined ? {} : {certFile}),
    ...(keyFile === undefined ? {} : {keyFile}),
    ...(trustedCAFile === undefined ? {} : {trustedCAFile}),
    clientCertAuth: isTrue(settings.get('peer-client-cert-auth')) || trustedCAFile !== undefined,
  };
}
