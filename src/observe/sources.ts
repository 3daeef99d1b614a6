import {inFlight} from '../api/progress.ts';
import type {QuorumRecovery} from '../api/types.ts';
import type {KubernetesClient} from '../kubernetes/client.ts';
import {isForbidden} from '../kubernetes/errors.ts';
import {readSource} from '../rebuild/source.ts';
import {keyInWords, sourceInWords} from '../rebuild/words.ts';

/** A source of spec.rebuild or a CronJob of its checks, without any value. */
export interface SourceView {
  name: string;
  /** E.g. `ConfigMap site`. */
  from: string;
  /** Keys that it writes; undefined: a CronJob's, which nobody knows beforehand. */
  keys?: string[];
  /** A dump on a claim: what is in it is read by a pod of the run, and stands in its status. */
  isDump?: true;
  /** How many keys it writes, where they are not told one by one. */
  count?: number;
  /** Of all keys and values, that of a Secret keyed by its UID; undefined: a CronJob's. */
  hash?: string;
  /** It is a check's: nothing is loaded by it. */
  isCheck?: true;
  /** Why it cannot be used. */
  problem?: string;
}

async function cronJobView(client: KubernetesClient, namespace: string, name: string, cronJob: string): Promise<SourceView> {
  const from = `CronJob ${cronJob}`;
  try {
    return await client.get('CronJob', namespace, cronJob) === undefined ? {name, from, problem: `there is no ${from}`} : {name, from};
  } catch (error) {
    if (!isForbidden(error)) throw error;
    return {name, from, problem: `the operator may not read it: ${error.message}`};
  }
}

/** undefined: nobody asks, as no run is in flight that has not begun its surgery. */
export async function loadSources(client: KubernetesClient, {metadata, spec, status}: QuorumRecovery): Promise<SourceView[] | undefined> {
  const run = inFlight(status?.run);
  if (spec.rebuild === undefined || run === undefined || run.newCluster?.begunAt !== undefined) return undefined;
  const namespace = metadata.namespace ?? 'default';
  const {sources, checks} = spec.rebuild;
  const jobs = checks.flatMap(({name, cronJob}) => (cronJob === undefined ? [] : [cronJobView(client, namespace, `check ${name}`, cronJob).then((view): SourceView => ({...view, isCheck: true}))]));
  return await Promise.all([...sources.map(async (source): Promise<SourceView> => {
    const {name, cronJob} = source;
    if (source.claim !== undefined) return {name, from: sourceInWords(source), isDump: true};
    if (cronJob !== undefined) return await cronJobView(client, namespace, name, cronJob);
    const found = await readSource(client, namespace, source);
    const view = {name, from: sourceInWords(source)};
    return 'problem' in found ? {...view, problem: found.problem} : {...view, keys: found.entries.map(({key}) => keyInWords(key)), hash: found.hash};
  }), ...jobs]);
}
