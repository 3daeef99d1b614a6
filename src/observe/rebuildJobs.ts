import type {V1CronJob, V1Job} from '@kubernetes/client-node';
import {inFlight} from '../api/progress.ts';
import type {QuorumRecovery} from '../api/types.ts';
import {marks} from '../api/types.ts';
import type {KubernetesClient} from '../kubernetes/client.ts';

/** Jobs of a rebuild, and what they are made from. */
export interface RebuildJobs {
  made: V1Job[];
  /** By name; undefined: there is none. */
  cronJobs: Record<string, V1CronJob | undefined>;
}

/** undefined: nobody asks, as no new cluster serves that is to be loaded. */
export async function loadRebuildJobs(client: KubernetesClient, {metadata, spec, status}: QuorumRecovery): Promise<RebuildJobs | undefined> {
  const run = inFlight(status?.run);
  if (spec.rebuild === undefined || run?.newCluster?.servedAt === undefined || run.steps.some(({name, state}) => name === 'Check' && state === 'Done')) return undefined;
  const namespace = metadata.namespace ?? 'default';
  const names = [...new Set([...spec.rebuild.sources, ...spec.rebuild.checks].flatMap(({cronJob}) => (cronJob === undefined ? [] : [cronJob])))];
  if (names.length === 0) return {made: [], cronJobs: {}};
  const [jobs, cronJobs] = await Promise.all([
    client.list('Job', namespace, {labelSelector: `${marks.resource}=${metadata.name ?? ''}`}),
    Promise.all(names.map(async (name) => [name, await client.get('CronJob', namespace, name)] as const)),
  ]);
  return {made: jobs.filter((job) => job.metadata?.annotations?.[marks.run] === run.id), cronJobs: Object.fromEntries(cronJobs)};
}
