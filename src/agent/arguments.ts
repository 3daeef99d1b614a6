import {isAbsolute, normalize} from 'node:path';
import {parseArgs} from 'node:util';
import {Refusal} from './failure.ts';
import type {VolumeCommand} from './report.ts';

/** The command line, checked. Paths are absolute and normalized, not yet resolved. */
export interface Arguments {
  command: VolumeCommand;
  run: string;
  /** Mount point of the data volume. */
  root: string;
  dataDir?: string;
  walDir?: string;
  /** Mount point of the WAL's own volume. */
  walRoot?: string;
  member?: string;
  /** Bytes that have to be free for what comes. */
  needs?: number;
  attempt?: number;
  /** More runs to prune. */
  finished: string[];
  pod?: string;
  expectMember?: string;
  expectCluster?: string;
  /** The log must not end before this entry; term 0: whatever its term. */
  expectTerm?: number;
  expectIndex?: number;
  /** In member/snap: the member's own database, which its new data is made from. It must be the one that was read: applied up to expectIndex, at this revision. */
  database?: string;
  expectRevision?: number;
  /** A snapshot in the store that the environment names: what the member's data is built from. */
  name?: string;
  /** Of that snapshot. */
  expectSHA256?: string;
  /** It is read where it is, and not fetched to the volume. */
  inPlace: boolean;
  copy: boolean;
  /** Commit the entries that the force would drop; see decideTail. */
  commitTail: boolean;
  /**
   * Highest raft term of a last log entry that another disk, a member or a witness showed. A term that a member told together with a
   * leader counts too, because a leader begins with an entry of its term; one without a leader does not, nor do votes and hard states.
   */
  laterEntryTerm?: number;
  /** Where the member that runs on the volume serves clients: http://host:port or https://host:port. */
  endpoint?: string;
  /** The name in its certificate, where that is not the endpoint's host. */
  serverName?: string;
  /** Directory with ca.crt, tls.crt and tls.key. */
  tls?: string;
  /** Seconds that it may take. */
  within?: number;
}

const commands: readonly VolumeCommand[] = ['inspect', 'copy', 'spend', 'seal', 'set-aside', 'prepare-join', 'prepare-force', 'restore-copy', 'prepare-seed', 'seed', 'prune', 'snapshot'];

const flags = {
  root: {type: 'string'},
  run: {type: 'string'},
  'data-dir': {type: 'string'},
  'wal-dir': {type: 'string'},
  'wal-root': {type: 'string'},
  member: {type: 'string'},
  needs: {type: 'string'},
  attempt: {type: 'string'},
  finished: {type: 'string'},
  pod: {type: 'string'},
  'expect-member': {type: 'string'},
  'expect-cluster': {type: 'string'},
  'expect-term': {type: 'string'},
  'expect-index': {type: 'string'},
  'expect-revision': {type: 'string'},
  database: {type: 'string'},
  name: {type: 'string'},
  'expect-sha256': {type: 'string'},
  'in-place': {type: 'boolean'},
  copy: {type: 'boolean'},
  'commit-tail': {type: 'boolean'},
  'later-entry-term': {type: 'string'},
  endpoint: {type: 'string'},
  'server-name': {type: 'string'},
  tls: {type: 'string'},
  within: {type: 'string'},
} as const;

type Flag = keyof typeof flags;
type Values = Partial<Record<Flag, string | boolean>>;

const places: readonly Flag[] = ['root', 'run', 'data-dir', 'wal-dir', 'wal-root'];
const rules: Record<VolumeCommand, {needs: readonly Flag[]; takes: readonly Flag[]}> = {
  inspect: {needs: ['data-dir'], takes: []},
  copy: {needs: ['data-dir'], takes: []},
  spend: {needs: ['attempt', 'pod'], takes: []},
  seal: {needs: [], takes: []},
  'set-aside': {needs: ['data-dir'], takes: []},
  'prepare-join': {needs: ['data-dir', 'member'], takes: ['needs']},
  'prepare-force': {
    needs: ['data-dir', 'attempt', 'pod'], takes: ['expect-member', 'expect-cluster', 'expect-term', 'expect-index', 'copy', 'commit-tail', 'later-entry-term'],
  },
  'restore-copy': {needs: ['data-dir'], takes: ['attempt']},
  'prepare-seed': {needs: ['data-dir'], takes: ['needs', 'database', 'expect-index', 'expect-revision', 'name', 'expect-sha256', 'in-place']},
  seed: {needs: ['data-dir', 'attempt'], takes: ['expect-member', 'expect-cluster', 'database', 'expect-index', 'expect-revision', 'name', 'in-place']},
  prune: {needs: ['data-dir'], takes: ['finished']},
  snapshot: {needs: ['data-dir', 'endpoint'], takes: ['server-name', 'tls', 'within', 'copy', 'needs', 'expect-member']},
};

const memberID = /^[0-9a-f]{1,16}$/;
const formats: Partial<Record<Flag, {pattern: RegExp; what: string}>> = {
  run: {pattern: /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/, what: 'a DNS label'},
  finished: {pattern: /^([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?(,|$))+(?<!,)$/, what: 'DNS labels with commas between them'},
  member: {pattern: memberID, what: 'a member ID in lower-case hex'},
  'expect-member': {pattern: memberID, what: 'a member ID in lower-case hex'},
  'expect-cluster': {pattern: memberID, what: 'a cluster ID in lower-case hex'},
  needs: {pattern: /^[1-9][0-9]{0,14}$/, what: 'a number of bytes'},
  attempt: {pattern: /^[1-9][0-9]{0,5}$/, what: 'a number from 1'},
  pod: {pattern: /^[0-9A-Za-z-]{1,64}$/, what: 'the UID of a pod'},
  'expect-term': {pattern: /^(0|[1-9][0-9]{0,14})$/, what: 'a raft term'},
  'expect-index': {pattern: /^(0|[1-9][0-9]{0,14})$/, what: 'a raft index'},
  'expect-revision': {pattern: /^[1-9][0-9]{0,14}$/, what: 'a revision'},
  database: {pattern: /^(db|[0-9a-f]{16}\.snap\.db)$/, what: 'the name of a database in member/snap'},
  name: {pattern: /^[0-9A-Za-z][0-9A-Za-z._-]{0,199}$/, what: 'the name of a snapshot'},
  'expect-sha256': {pattern: /^[0-9a-f]{64}$/, what: 'a SHA-256 in lower-case hex'},
  'later-entry-term': {pattern: /^(0|[1-9][0-9]{0,14})$/, what: 'a raft term'},
  endpoint: {pattern: /^https?:\/\/[^/?#@]+:[0-9]{1,5}$/, what: 'http://host:port or https://host:port'},
  'server-name': {pattern: /^[0-9A-Za-z.-]{1,253}$/, what: 'a DNS name'},
  within: {pattern: /^[1-9][0-9]{0,4}$/, what: 'a number of seconds'},
};

export function isCommand(word: string | undefined): word is VolumeCommand {
  return commands.some((command) => command === word);
}

/** @throws {Refusal} BadUsage, with a sentence that names the flag */
export function parseArguments(argv: readonly string[]): Arguments {
  const [command, ...rest] = argv;
  if (!isCommand(command)) {
    throw new Refusal('BadUsage', `The first argument must be one of ${commands.join(', ')}.`);
  }
  const values = parseFlags(rest);
  const {needs, takes} = rules[command];
  for (const name of Object.keys(values) as Flag[]) {
    if (![...places, ...needs, ...takes].includes(name)) {
      throw new Refusal('BadUsage', `${command} has no flag --${name}.`);
    }
  }
  const missing = (['root', 'run', ...needs] as Flag[]).find((name) => values[name] === undefined);
  if (missing !== undefined) {
    throw new Refusal('BadUsage', `${command} needs --${missing}.`);
  }
  checkFormats(values);
  return {
    command,
    run: String(values.run),
    root: pathOf(values, 'root') ?? '',
    copy: values.copy !== false,
    commitTail: values['commit-tail'] !== false,
    inPlace: values['in-place'] === true,
    finished: text(values.finished)?.split(',') ?? [],
    ...optional('dataDir', pathOf(values, 'data-dir')),
    ...optional('walDir', pathOf(values, 'wal-dir')),
    ...optional('walRoot', pathOf(values, 'wal-root')),
    ...optional('member', text(values.member)),
    ...optional('needs', number(values.needs)),
    ...optional('attempt', number(values.attempt)),
    ...optional('pod', text(values.pod)),
    ...optional('laterEntryTerm', number(values['later-entry-term'])),
    ...optional('endpoint', text(values.endpoint)),
    ...optional('serverName', text(values['server-name'])),
    ...optional('tls', pathOf(values, 'tls')),
    ...optional('within', number(values.within)),
    ...optional('expectMember', text(values['expect-member'])),
    ...optional('expectCluster', text(values['expect-cluster'])),
    ...optional('expectTerm', number(values['expect-term'])),
    ...optional('expectIndex', number(values['expect-index'])),
    ...optional('expectRevision', number(values['expect-revision'])),
    ...optional('database', text(values.database)),
    ...optional('name', text(values.name)),
    ...optional('expectSHA256', text(values['expect-sha256'])),
  };
}

function parseFlags(args: string[]): Values {
  try {
    return parseArgs({args, options: flags, strict: true, allowNegative: true}).values;
  } catch (error) {
    throw new Refusal('BadUsage', (error as Error).message);
  }
}

function checkFormats(values: Values): void {
  for (const [name, format] of Object.entries(formats)) {
    const value = values[name as Flag];
    if (value !== undefined && !format.pattern.test(String(value))) {
      throw new Refusal('BadUsage', `--${name} must be ${format.what}; it is ${JSON.stringify(value)}.`);
    }
  }
  if (values['wal-root'] !== undefined && values['wal-dir'] === undefined) {
    throw new Refusal('BadUsage', '--wal-root needs --wal-dir.');
  }
  if (values.database !== undefined && (values['expect-index'] === undefined || values['expect-revision'] === undefined)) {
    throw new Refusal('BadUsage', '--database needs --expect-index and --expect-revision.');
  }
  if (values.database !== undefined && values.name !== undefined) {
    throw new Refusal('BadUsage', 'A member\'s data is built from one snapshot: --database and --name exclude each other.');
  }
  if (values.name === undefined && (values['in-place'] === true || values['expect-sha256'] !== undefined)) {
    throw new Refusal('BadUsage', '--in-place and --expect-sha256 need --name.');
  }
}

function pathOf(values: Values, name: Flag): string | undefined {
  const value = text(values[name]);
  if (value === undefined) {
    return undefined;
  }
  const path = normalize(value).replace(/(?<=.)\/+$/, '');
  if (!isAbsolute(path) || path.includes('\0')) {
    throw new Refusal('BadUsage', `--${name} must be an absolute path; it is ${JSON.stringify(value)}.`);
  }
  if (path === '/' && name !== 'wal-dir') {
    throw new Refusal('BadUsage', `--${name} must not be the whole file system.`);
  }
  return path;
}

const number = (value: string | boolean | undefined): number | undefined => (value === undefined ? undefined : Number(value));

function text(value: string | boolean | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function optional<K extends string, V>(name: K, value: V | undefined): Partial<Record<K, V>> {
  return value === undefined ? {} : ({[name]: value} as Partial<Record<K, V>>);
}
