import type {V1Container, V1EnvVar, V1PodSpec} from '@kubernetes/client-node';
import {changeConfig} from './config-file.ts';
import {escapeReferences} from './expand.ts';
import {environmentName} from './flags.ts';
import {isProblem, resolveOverlay} from './overlay-source.ts';
import type {Resolved} from './resolve.ts';
import type {LaunchProblem, LaunchSource} from './types.ts';

/** Where the changed configuration file of a pod stands; a downwardAPI volume mounts it. */
export const configAnnotation = 'quorumrecovery.io/etcd-config';
const configVolume = 'quorumrecovery-etcd-config';
const configDirectory = '/etc/quorumrecovery';
const configFile = 'etcd.yaml';

export interface Overlay {
  podSpec: V1PodSpec;
  annotations: Record<string, string>;
  /** What differs from the template, in plain words, for the plan. */
  differences: string[];
}

/** How etcd finds its first peers, beside initial-cluster; it refuses to start with two of them. */
const discoveries = ['discovery', 'discovery-srv', 'discovery-endpoints', 'discovery-token'];

/**
 * The pod with etcd's flags changed, each where its value lives already: a flag beside the variable of the same name
 * makes etcd exit, and a configuration file silences both. `podSpec` and `annotations` are the pod's, made from the
 * template; `source` tells how to read it. Nothing that is given is changed.
 */
export function overlayLaunch(
  podSpec: V1PodSpec, annotations: Readonly<Record<string, string>>, source: LaunchSource, flags: Readonly<Record<string, string>>,
): Overlay | LaunchProblem {
  const resolved = resolveOverlay(podSpec, annotations, source);
  if (isProblem(resolved)) return resolved;
  const copy = structuredClone(podSpec);
  const container = copy.containers.find(({name}) => name === resolved.container.name);
  if (container === undefined) throw new TypeError(`no container ${resolved.container.name}`);
  const overlay: Overlay = {podSpec: copy, annotations: {...annotations}, differences: []};
  if (source.launch !== undefined) applyLaunch(container, resolved, overlay);
  const all = {...withoutDiscovery(resolved, flags), ...flags};
  if (Object.keys(all).length === 0) return overlay;
  if (resolved.file === undefined) setFlags(container, resolved, all, overlay);
  else setInFile(container, resolved, {file: resolved.file, flags: all}, overlay);
  return overlay;
}

function withoutDiscovery({settings}: Resolved, flags: Readonly<Record<string, string>>): Record<string, string> {
  if (flags['initial-cluster'] === undefined) return {};
  return Object.fromEntries(discoveries.filter(flag => (settings.get(flag) ?? '') !== '').map(flag => [flag, '']));
}

function applyLaunch(container: V1Container, {container: {command, args}}: Resolved, overlay: Overlay): void {
  container.command = [...command ?? []];
  container.args = [...args ?? []];
  overlay.differences.push(`container ${container.name}: command and args of spec.target.launch`);
}

function setFlags(container: V1Container, resolved: Resolved, flags: Readonly<Record<string, string>>, overlay: Overlay): void {
  const words: string[] = [];
  const exports: string[] = [];
  const {differences} = overlay;
  for (const [flag, value] of Object.entries(flags)) {
    const name = environmentName(flag);
    const how = placeOf(flag, resolved);
    if (how === 'env') {
      setVariable(container, name, value);
      differences.push(`container ${container.name}: environment variable ${name}=${value}`);
    } else if (how === 'script') {
      exports.push(`export ${name}=${quote(value)}; `);
      differences.push(`container ${container.name}: ${name}=${value} set in the script before etcd`);
    } else {
      words.push(`--${flag}=${value}`);
      differences.push(`container ${container.name}: --${flag}=${value} after etcd's other flags`);
    }
  }
  appendWords(container, resolved, words, exports);
}

function placeOf(flag: string, {origins, variables, line, carrier}: Resolved): 'flag' | 'env' | 'script' {
  const name = environmentName(flag);
  if (origins.get(flag) === 'flag') return 'flag';
  if (line.exported.has(name)) return 'script';
  return variables.has(name) || carrier === 'env' ? 'env' : 'flag';
}

function setVariable(container: V1Container, name: string, value: string): void {
  const variable: V1EnvVar = {name, value: escapeReferences(value)};
  const env = container.env ?? [];
  const index = env.findIndex(existing => existing.name === name);
  // The last of several entries of one name wins; all are replaced by one in the first's place.
  container.env = index === -1
    ? [...env, variable]
    : [...env.slice(0, index), variable, ...env.slice(index + 1).filter(existing => existing.name !== name)];
}

function appendWords(container: V1Container, {line: {insertion}}: Resolved, words: string[], exports: string[]): void {
  if (words.length === 0 && exports.length === 0) return;
  if (insertion.type !== 'script') {
    container.args = [...container.args ?? [], ...words.map(escapeReferences)];
    return;
  }
  const {field, index, start, end} = insertion;
  const list = [...container[field] ?? []];
  const script = list[index] ?? '';
  const before = escapeReferences(exports.join(''));
  const after = escapeReferences(words.map(word => ` ${quote(word)}`).join(''));
  list[index] = script.slice(0, start) + before + script.slice(start, end) + after + script.slice(end);
  container[field] = list;
}

function quote(text: string): string {
  return `'${text.replaceAll('\'', '\'\\\'\'')}'`;
}

function setInFile(
  container: V1Container, resolved: Resolved, change: {file: NonNullable<Resolved['file']>; flags: Readonly<Record<string, string>>}, overlay: Overlay,
): void {
  const {file, flags} = change;
  overlay.annotations[configAnnotation] = changeConfig(file.text, flags);
  const path = `${configDirectory}/${configFile}`;
  const {podSpec, differences} = overlay;
  for (const [flag, value] of Object.entries(flags)) differences.push(`etcd's configuration file: ${flag}: ${value}`);
  if (file.path === path) return;
  const item = {path: configFile, fieldRef: {fieldPath: `metadata.annotations['${configAnnotation}']`}};
  podSpec.volumes = [...(podSpec.volumes ?? []).filter(({name}) => name !== configVolume), {name: configVolume, downwardAPI: {items: [item]}}];
  container.volumeMounts = [
    ...(container.volumeMounts ?? []).filter(({name}) => name !== configVolume),
    {name: configVolume, mountPath: configDirectory, readOnly: true},
  ];
  differences.push(`container ${container.name}: --config-file=${path}, the template's ${file.path} with these settings, `
    + `from the pod's annotation ${configAnnotation}`);
  if (file.origin === 'env') setVariable(container, 'ETCD_CONFIG_FILE', path);
  else if (file.origin === 'script') appendWords(container, resolved, [], [`export ETCD_CONFIG_FILE=${quote(path)}; `]);
  else appendWords(container, resolved, [`--config-file=${path}`], []);
}
