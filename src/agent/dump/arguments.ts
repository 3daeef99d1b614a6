import {parseArgs} from 'node:util';
import type {RebuildSource} from '../../api/rebuild.ts';
import {Refusal} from '../failure.ts';
import type {DumpCommand} from '../report.ts';

/** The command line of a dump's command. The operator writes it, so that it is only looked at for what is missing. */
export interface DumpArguments {
  run: string;
  /** Below it: the file, or the directory of each source by its name. */
  root: string;
  /** What hashes are keyed by. */
  owner: string;
  path: string;
  sources: RebuildSource[];
  endpoint: string;
  serverName?: string;
  tls?: string;
  cluster: string;
}

const flags = ['run', 'root', 'owner', 'path', 'sources', 'endpoint', 'server-name', 'tls', 'cluster'] as const;

const needs: Record<DumpCommand, readonly (typeof flags)[number][]> = {
  'dump-check': ['run', 'root', 'owner', 'sources'],
  'dump-load': ['run', 'root', 'owner', 'path', 'endpoint', 'cluster'],
  'dump-compare': ['run', 'root', 'owner', 'path', 'endpoint', 'cluster'],
};

/** @throws {Refusal} BadUsage */
export function parseDumpArguments(command: DumpCommand, argv: readonly string[]): DumpArguments {
  const values = parsed(argv);
  const missing = needs[command].find((flag) => values[flag] === undefined);
  if (missing !== undefined) throw new Refusal('BadUsage', `${command} needs --${missing}.`);
  const {run = '', root = '', owner = '', path = '', endpoint = '', cluster = '', tls} = values;
  const serverName = values['server-name'];
  return {run, root, owner, path, endpoint, cluster, sources: sourcesIn(values.sources), ...(serverName !== undefined && {serverName}), ...(tls !== undefined && {tls})};
}

function parsed(argv: readonly string[]): Partial<Record<(typeof flags)[number], string>> {
  try {
    return parseArgs({args: [...argv], options: Object.fromEntries(flags.map((flag) => [flag, {type: 'string' as const}])), strict: true}).values;
  } catch (error) {
    throw new Refusal('BadUsage', (error as Error).message);
  }
}

function sourcesIn(text = '[]'): RebuildSource[] {
  try {
    return JSON.parse(text) as RebuildSource[];
  } catch {
    throw new Refusal('BadUsage', '--sources is no JSON.');
  }
}
