import {isAbsolute, normalize} from 'node:path';
import {parseArgs} from 'node:util';
import {Refusal} from '../failure.ts';
import type {StoreCommand} from '../report.ts';

/** The command line of a store's command, checked. */
export interface StoreArguments {
  command: StoreCommand;
  run: string;
  /** Mount point of the volume that is written to, or of the scratch volume. */
  root?: string;
  /** File that a fetch writes, below root. */
  to?: string;
  name?: string;
  /** Snapshots that a list reports. */
  limit?: number;
  expectCluster?: string;
  expectMembers: string[];
  expectSHA256?: string;
  /** Seconds. */
  maxAge?: number;
  /** A fetch checks, and keeps no file. */
  discard: boolean;
  endpoint?: string;
  serverName?: string;
  tls?: string;
  /** Seconds that the stream from etcd may take. */
  within?: number;
  cluster?: string;
  member?: string;
  etcdVersion?: string;
  /** UID of the resource that the snapshot is taken for. */
  owner?: string;
  /** Revision that the member is known to have applied. */
  atLeast?: number;
  keepLast?: number;
  /** Seconds. */
  keepFor?: number;
}

const id = {pattern: /^[0-9a-f]{1,16}$/, what: 'an ID in lower-case hex'};
const seconds = {pattern: /^[1-9][0-9]{0,11}$/, what: 'a number of seconds'};
const path = {pattern: /^\/[^\0]+$/, what: 'an absolute path'};
const name = {pattern: /^[0-9A-Za-z][0-9A-Za-z._-]{0,199}$/, what: 'the name of a snapshot'};

const formats = {
  run: {pattern: /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/, what: 'a DNS label'},
  root: path,
  to: path,
  name,
  limit: {pattern: /^[1-9][0-9]{0,3}$/, what: 'a number from 1'},
  'expect-cluster': id,
  'expect-members': {pattern: /^[0-9a-f]{1,16}(,[0-9a-f]{1,16})*$/, what: 'member IDs in lower-case hex with commas between them'},
  'expect-sha256': {pattern: /^[0-9a-f]{64}$/, what: 'a SHA-256 in lower-case hex'},
  'max-age': seconds,
  endpoint: {pattern: /^https?:\/\/[^/?#@]+:[0-9]{1,5}$/, what: 'http://host:port or https://host:port'},
  'server-name': {pattern: /^[0-9A-Za-z.-]{1,253}$/, what: 'a DNS name'},
  tls: path,
  within: seconds,
  cluster: id,
  member: id,
  'etcd-version': {pattern: /^[0-9A-Za-z.+-]{1,64}$/, what: 'a version'},
  owner: {pattern: /^[0-9A-Za-z-]{1,64}$/, what: 'the UID of a resource'},
  'at-least': {pattern: /^[0-9]{1,15}$/, what: 'a revision'},
  'keep-last': {pattern: /^[1-9][0-9]{0,3}$/, what: 'a number from 1'},
  'keep-for': seconds,
} as const;

type Flag = keyof typeof formats;

const rules: Record<StoreCommand, {needs: readonly Flag[]; takes: readonly Flag[]}> = {
  'store-list': {needs: [], takes: ['limit']},
  'store-fetch': {needs: ['root', 'to'], takes: ['name', 'expect-cluster', 'expect-members', 'expect-sha256', 'max-age']},
  'store-save': {
    needs: ['root', 'name', 'endpoint', 'cluster', 'member'], takes: ['server-name', 'tls', 'within', 'etcd-version', 'owner', 'at-least', 'keep-last', 'keep-for'],
  },
};

/** @throws {Refusal} BadUsage, with a sentence that names the flag */
export function parseStoreArguments(command: StoreCommand, argv: readonly string[]): StoreArguments {
  const values = parsed(argv);
  const {needs, takes} = rules[command];
  const missing = (['run', ...needs] as const).find((flag) => values[flag] === undefined);
  if (missing !== undefined) throw new Refusal('BadUsage', `${command} needs --${missing}.`);
  for (const [flag, format] of Object.entries(formats) as [Flag, {pattern: RegExp; what: string}][]) {
    const value = values[flag];
    if (value === undefined) continue;
    if (flag !== 'run' && !needs.includes(flag) && !takes.includes(flag)) throw new Refusal('BadUsage', `${command} has no flag --${flag}.`);
    if (!format.pattern.test(value)) throw new Refusal('BadUsage', `--${flag} must be ${format.what}; it is ${JSON.stringify(value)}.`);
  }
  return {
    command, run: values.run ?? '', discard: values.discard === true, expectMembers: values['expect-members']?.split(',') ?? [],
    ...given('root', pathOf(values.root)), ...given('to', pathOf(values.to)), ...given('name', values.name), ...given('limit', numberOf(values.limit)),
    ...given('expectCluster', values['expect-cluster']), ...given('expectSHA256', values['expect-sha256']), ...given('maxAge', numberOf(values['max-age'])),
    ...given('endpoint', values.endpoint), ...given('serverName', values['server-name']), ...given('tls', pathOf(values.tls)), ...given('within', numberOf(values.within)),
    ...given('cluster', values.cluster), ...given('member', values.member), ...given('etcdVersion', values['etcd-version']), ...given('owner', values.owner), ...given('atLeast', numberOf(values['at-least'])),
    ...given('keepLast', numberOf(values['keep-last'])), ...given('keepFor', numberOf(values['keep-for'])),
  };
}

type Parsed = Partial<Record<Flag, string>> & {discard?: boolean};

function parsed(args: readonly string[]): Parsed {
  const flags = Object.keys(formats) as Flag[];
  const options = Object.fromEntries(flags.map((flag) => [flag, {type: 'string' as const}])) as Record<Flag, {type: 'string'}>;
  try {
    return parseArgs({args: [...args], options: {...options, discard: {type: 'boolean'}}, strict: true}).values;
  } catch (error) {
    throw new Refusal('BadUsage', (error as Error).message);
  }
}

const numberOf = (value: string | undefined): number | undefined => (value === undefined ? undefined : Number(value));

function pathOf(value: string | undefined): string | undefined {
  if (value === undefined) return undefined;
  const clean = normalize(value).replace(/(?<=.)\/+$/, '');
  if (!isAbsolute(clean) || clean === '/') throw new Refusal('BadUsage', `${JSON.stringify(value)} must be a path below a volume's mount point.`);
  return clean;
}

const given = <K extends string, V>(key: K, value: V | undefined): Partial<Record<K, V>> => (value === undefined ? {} : {[key]: value} as Partial<Record<K, V>>);
