import type {V1Job} from '@kubernetes/client-node';
import type {RebuildCheck, RebuildSource} from '../api/rebuild.ts';
import type {Outcome} from '../decide/decision.ts';
import {loadAnew, recordCheck, recordSource} from '../decide/steps/load.ts';
import type {EtcdMember} from '../etcd/types.ts';
import {isAlreadyExists, isForbidden, isInvalid} from '../kubernetes/errors.ts';
import {batches} from '../rebuild/batches.ts';
import {readSource} from '../rebuild/source.ts';
import type {SourceContent} from '../rebuild/source.ts';
import {keyInWords, sourceInWords} from '../rebuild/words.ts';
import {valueOf} from '../observe/configuration.ts';
import type {Acting} from './context.ts';
import {again, finished, memberOf, refused, untilReady} from './context.ts';

const iso = (now: number) => new Date(now).toISOString();
const namespaceOf = ({observation}: Acting) => observation.resource.metadata.namespace ?? 'default';

/** A member of the new cluster that runs. */
function through(acting: Acting): EtcdMember | undefined {
  const {newCluster} = acting.observation.status.run ?? {};
  return (newCluster?.members ?? []).map((pod) => memberOf(acting, pod)).find((member) => member !== undefined);
}

/**
 * Writes all keys of a source, a bounded transaction at a time. Cut off anywhere, it is done again from the beginning: the same keys get the
 * same values.
 */
export async function loadKeys(acting: Acting, source: RebuildSource): Promise<Outcome> {
  const member = through(acting);
  if (member === undefined) return again('no member of the new cluster runs', 500);
  const content = await readSource(acting.client, namespaceOf(acting), source);
  const from = sourceInWords(source);
  if ('problem' in content) return refused('LoadFailed', `source ${source.name} (${from}): ${content.problem}. Correct it, or spec.rebuild; the run goes on by itself. Nobody uses the new cluster yet`);
  return await untilReady(500, async () => {
    for (const batch of batches(content.entries)) {
      if (acting.signal.aborted) return again('this operator is not the leader any more', 1_000);
      await member.putAll(batch);
    }
    return finished(undefined, recordSource(source.name, {state: 'Loaded', from, keys: content.entries.length, hash: content.hash, finishedAt: iso(acting.now())}, acting.now()));
  });
}

export async function createJob({client}: Acting, job: V1Job): Promise<Outcome> {
  const name = job.metadata?.name ?? '';
  try {
    await client.create('Job', job);
  } catch (error) {
    // A run that was killed has made it already.
    if (isAlreadyExists(error)) return finished();
    if (!isForbidden(error) && !isInvalid(error)) throw error;
    return refused('LoadFailed', `the API server refuses Job ${name}: ${error.message}. Change the CronJob that it is made from, the quota or the policy; the run goes on by itself. Nobody uses the new cluster yet`);
  }
  return finished();
}

const notYet = (check: RebuildCheck, why: string): Outcome =>
  refused('CheckFailed', `check ${check.name}: ${why}. It is checked again every few seconds, and the run goes on by itself once it holds; or take the check out of spec.rebuild.checks. Nobody uses the new cluster yet`);

/** A key whose value is not that of its source; undefined: none. */
async function outOfSync(member: EtcdMember, {entries}: SourceContent): Promise<string | undefined> {
  for (const batch of batches(entries)) {
    const values = await member.getAll(batch.map(({key}) => key));
    const at = batch.findIndex(({value}, index) => values[index]?.equals(value) !== true);
    const entry = batch[at];
    if (entry !== undefined) return `key ${keyInWords(entry.key)} ${values[at] === undefined ? 'is not there' : 'has another value'}`;
  }
  return undefined;
}

async function inSync(acting: Acting, member: EtcdMember, check: RebuildCheck): Promise<Outcome | undefined> {
  const {observation} = acting;
  for (const name of check.sources ?? []) {
    const source = observation.spec.rebuild?.sources.find((one) => one.name === name);
    // A pod of the run has compared it (decide/steps/load.ts).
    if (source?.claim !== undefined) continue;
    if (source === undefined || source.cronJob !== undefined) return notYet(check, `spec.rebuild.sources has no ConfigMap, Secret or claim of the name ${name}`);
    const content = await readSource(acting.client, namespaceOf(acting), source);
    if ('problem' in content) return notYet(check, `source ${name} (${sourceInWords(source)}): ${content.problem}`);
    const loaded = observation.status.run?.rebuild?.sources.find((one) => one.name === name);
    if (loaded?.hash !== content.hash) {
      return {kind: 'retry', why: `source ${name} (${sourceInWords(source)}) was changed since it was loaded: it is loaded anew`, ms: 10, record: loadAnew(name, acting.now())};
    }
    const wrong = await outOfSync(member, content);
    if (wrong !== undefined) return notYet(check, `${wrong} in etcd, unlike in source ${name} (${sourceInWords(source)}): a Job or somebody else wrote it since`);
  }
  return undefined;
}

async function wellFormed(acting: Acting, member: EtcdMember, check: RebuildCheck): Promise<Outcome | undefined> {
  const [{isMalformed, read}, {unlikeSchema}] = await Promise.all([import('../formats/read.ts'), import('../formats/schema.ts')]);
  const {keys = [], format = 'Text', schema} = check;
  const declared = schema === undefined ? undefined : await valueOf(acting.client, namespaceOf(acting), schema);
  const parsed = declared === undefined || 'problem' in declared ? undefined : read('JSON', declared.value);
  const of = `its schema, key ${schema?.key ?? ''} of ConfigMap ${schema?.configMap ?? ''}`;
  if (declared !== undefined && 'problem' in declared) return notYet(check, `${of}: ${declared.problem}`);
  if (parsed !== undefined && isMalformed(parsed)) return notYet(check, `${of}, ${parsed.problem}`);
  for (const key of keys) {
    const {value} = await member.get(key);
    if (value === undefined) return notYet(check, `key ${key} is not there`);
    const reading = read(format, value);
    if (isMalformed(reading)) return notYet(check, `the value of key ${key} ${reading.problem}`);
    // What is in etcd may have come from a Secret.
    const unlike = parsed === undefined ? undefined : unlikeSchema(parsed.data, reading.data, false);
    if (unlike !== undefined) return notYet(check, `the value of key ${key} ${unlike}`);
  }
  return undefined;
}

/** Compares keys with their sources, or reads them in the format that they should have. Nothing of a value is told. */
export async function checkKeys(acting: Acting, check: RebuildCheck): Promise<Outcome> {
  const member = through(acting);
  if (member === undefined) return again('no member of the new cluster runs', 500);
  return await untilReady(500, async () => (check.sources === undefined ? await wellFormed(acting, member, check) : await inSync(acting, member, check))
    ?? finished(undefined, recordCheck(check.name, {state: 'Passed', finishedAt: iso(acting.now())}, acting.now())));
}
