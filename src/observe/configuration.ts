import type {ConfigurationCheck} from '../api/configuration.ts';
import {inFlight} from '../api/progress.ts';
import type {QuorumRecovery} from '../api/types.ts';
import type {KubernetesClient} from '../kubernetes/client.ts';
import {isForbidden} from '../kubernetes/errors.ts';

/** What one of spec.configuration.checks found. Of the value there is nothing in it but the members that it names. */
export interface ConfigurationView {
  name: string;
  /** Where the value is, e.g. `key servers of ConfigMap site`. */
  source: string;
  /** It is a Secret's: what it names is told nobody. */
  secret: boolean;
  ignore: boolean;
  /** Why it is not as it should be; undefined: it is there and reads well. */
  problem?: string;
  /** Hosts that it names as members; undefined: it was not asked for them. */
  hosts?: string[];
}

/** Values as bytes; undefined: there is no such key. Errors but a refusal are thrown. */
export async function valueOf(client: KubernetesClient, namespace: string, from: {configMap?: string | undefined; secret?: string | undefined; key: string}): Promise<{value: Buffer} | {problem: string}> {
  const {configMap, secret, key} = from;
  try {
    if (configMap !== undefined) {
      const object = await client.get('ConfigMap', namespace, configMap);
      if (object === undefined) return {problem: 'there is no such ConfigMap'};
      const [text, binary] = [object.data?.[key], object.binaryData?.[key]];
      if (text !== undefined) return {value: Buffer.from(text)};
      return binary === undefined ? {problem: 'it has no such key'} : {value: Buffer.from(binary, 'base64')};
    }
    const object = await client.get('Secret', namespace, secret ?? '');
    if (object === undefined) return {problem: 'there is no such Secret'};
    const data = object.data?.[key];
    return data === undefined ? {problem: 'it has no such key'} : {value: Buffer.from(data, 'base64')};
  } catch (error) {
    if (!isForbidden(error)) throw error;
    return {problem: `the operator may not read it: ${error.message}`};
  }
}

async function look(client: KubernetesClient, namespace: string, check: ConfigurationCheck): Promise<Pick<ConfigurationView, 'problem' | 'hosts'>> {
  const found = await valueOf(client, namespace, check);
  if ('problem' in found) return found;
  // Loaded by the first resource that asks for it: most have no checks, and parsers take memory.
  const {isMalformed, read} = await import('../formats/read.ts');
  const reading = read(check.format, found.value);
  if (isMalformed(reading)) return reading;
  if (check.schema !== undefined) {
    const schema = await valueOf(client, namespace, check.schema);
    const of = `its schema, key ${check.schema.key} of ConfigMap ${check.schema.configMap}`;
    if ('problem' in schema) return {problem: `${of}: ${schema.problem}`};
    const parsed = read('JSON', schema.value);
    if (isMalformed(parsed)) return {problem: `${of}, ${parsed.problem}`};
    const {unlikeSchema} = await import('../formats/schema.ts');
    const problem = unlikeSchema(parsed.data, reading.data, check.secret === undefined);
    if (problem !== undefined) return {problem};
  }
  if (check.members === undefined) return {};
  const {at = ''} = check.members;
  const texts = reading.texts(at);
  if (texts === undefined) return {problem: `has no list of members at ${at === '' ? 'its top' : at}`};
  const {hostsIn} = await import('../formats/hosts.ts');
  return {hosts: hostsIn(texts)};
}

/** What the spec's checks find; undefined: they are not asked for, as no run is in flight that has not begun its surgery. */
export async function loadConfiguration(client: KubernetesClient, {metadata, spec, status}: QuorumRecovery): Promise<ConfigurationView[] | undefined> {
  const run = inFlight(status?.run);
  const {checks} = spec.configuration ?? {};
  if (checks === undefined || run === undefined || run.force?.turnGiven === true || run.replace !== undefined || run.newCluster?.begunAt !== undefined) return undefined;
  return await Promise.all(checks.map(async (check) => ({
    name: check.name, secret: check.secret !== undefined, ignore: check.ignore,
    source: `key ${check.key} of ${check.configMap === undefined ? `Secret ${check.secret ?? ''}` : `ConfigMap ${check.configMap}`}`,
    ...await look(client, metadata.namespace ?? 'default', check),
  })));
}
