import {spawnSync} from 'node:child_process';
import {existsSync, readFileSync, readdirSync} from 'node:fs';
import {join} from 'node:path';
import {parseAllDocuments} from 'yaml';
import {findHelm, runHelm} from '../../../src/generate/helm.ts';
import {chart, installPath} from '../../../src/generate/files.ts';
import {cacheDirectory} from '../../lab/paths.ts';

export const root = join(import.meta.dirname, '..', '..', '..');

export interface Manifest {
  apiVersion: string;
  kind: string;
  metadata: {name: string; namespace?: string; labels?: Record<string, string>; annotations?: Record<string, string>};
  spec?: unknown;
  rules?: PolicyRule[];
}

export interface PolicyRule {
  apiGroups: string[];
  resources: string[];
  resourceNames?: string[];
  verbs: string[];
}

export const read = (path: string) => readFileSync(join(root, path), 'utf8');

export function manifests(text: string): Manifest[] {
  return parseAllDocuments(text).map((document) => {
    for (const error of document.errors) throw error;
    return document.toJS() as Manifest | null;
  }).filter((manifest) => manifest !== null);
}

/** The committed plain manifests. */
export const installed = () => manifests(read(installPath));

export function only(all: readonly Manifest[], kind: string, name?: string): Manifest {
  const found = all.filter((manifest) => manifest.kind === kind && (name === undefined || manifest.metadata.name === name));
  if (found.length !== 1 || found[0] === undefined) throw new Error(`${found.length} of kind ${kind}, not one`);
  return found[0];
}

/** helm of HELM, of PATH, or the one that the lab built; undefined where there is none. */
export function helmForTests(): string | undefined {
  const helm = findHelm(process.env);
  if ('path' in helm) return helm.path;
  const cache = join(cacheDirectory(), 'bin');
  const built = existsSync(cache) ? readdirSync(cache).map((name) => join(cache, name, 'helm')).filter((path) => existsSync(path)) : [];
  return built[0];
}

/** For `before`: skips the suite, with the reason, where there is no helm. */
export function requireHelm(context: Mocha.Context): string {
  const helm = helmForTests();
  if (helm !== undefined) return helm;
  console.log('      skipped: helm was not found on PATH, in HELM or in the lab\'s cache (make lab builds it)');
  return context.skip();
}

/** What promtool was to check. Skips the suite, with the reason, where PROMTOOL names none. */
export function requirePromtool(context: Mocha.Context): string {
  const promtool = process.env['PROMTOOL'] ?? '';
  if (promtool !== '') return promtool;
  console.log('      skipped: set PROMTOOL to the binary of test/lab/go/promtool (make test builds it)');
  return context.skip();
}

/** Runs promtool and returns all that it said. Throws with that if it is not content. */
export function runPromtool(promtool: string, args: readonly string[], input = ''): string {
  const {status, stdout, stderr, error} = spawnSync(promtool, args, {encoding: 'utf8', input});
  if (error) throw error;
  if (status !== 0) throw new Error(`promtool ${args.join(' ')} ended with ${status}:\n${stdout}${stderr}`);
  return stdout + stderr;
}

/** What the chart makes of some values, given as `--set` takes them. Throws with what helm said. */
export const rendered = (helm: string, values: readonly string[] = []): Manifest[] => manifests(runHelm(helm, [
  'template', 'release', join(root, chart), '--namespace', 'somewhere', '--kube-version', '1.35.0', ...values.flatMap((value) => ['--set', value]),
]));
