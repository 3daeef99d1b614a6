import {readFileSync} from 'node:fs';
import {exit} from '../failure.ts';
import type {Invocation, World} from '../world.ts';
import {flag} from '../world.ts';

export function pluginVersion(): string {
  const parsed = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')) as {version?: string};
  return parsed.version ?? 'unknown';
}

export async function run(invocation: Invocation, world: World): Promise<number> {
  const {terminal} = world;
  terminal.out(`plugin    ${pluginVersion()} (Node ${process.versions.node})`);
  if (flag(invocation, 'client')) return exit.ok;
  const {api} = await world.session();
  terminal.out(`cluster   Kubernetes ${(await api.version()).gitVersion}`);
  try {
    const found = await api.list('Deployment', undefined, {labelSelector: 'app.kubernetes.io/name=quorum-recovery-operator'});
    if (found.length === 0) terminal.out('operator  none is seen in this cluster');
    for (const {metadata} of found) terminal.out(`operator  ${metadata?.labels?.['app.kubernetes.io/version'] ?? 'unknown version'} (${metadata?.namespace ?? ''}/${metadata?.name ?? ''})`);
  } catch {
    terminal.out('operator  not told: you have no right to list deployments in all namespaces');
  }
  return exit.ok;
}
