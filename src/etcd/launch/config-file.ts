import type {V1Container, V1KeyToPath, V1PodTemplateSpec, V1Volume} from '@kubernetes/client-node';
import {isMap, parseDocument, parse} from 'yaml';
import {fieldValue} from './environment.ts';
import {expand} from './expand.ts';
import {findMount} from './mount.ts';
import type {LaunchSource} from './types.ts';

export type FileText = {ok: true; text: string} | {ok: false; reason: 'MissingConfig' | 'LaunchNotUnderstood'; message: string};

/** The text of a file of a container that comes from a ConfigMap, a Secret or an annotation. */
export function mountedFile(source: LaunchSource, container: V1Container, path: string, variables: ReadonlyMap<string, string>): FileText {
  const mount = findMount(container, path, text => expand(text, name => variables.get(name)));
  const volume = source.template.spec?.volumes?.find(({name}) => name === mount?.volumeMount.name);
  if (mount === undefined || volume === undefined) {
    return {ok: false, reason: 'LaunchNotUnderstood', message: `the file ${path} is on no volume whose content is known`};
  }
  const files = volumeFiles(volume, source);
  if (files === undefined) {
    const message = `the file ${path} is on volume ${volume.name}, which is neither a ConfigMap nor a Secret`;
    return {ok: false, reason: 'LaunchNotUnderstood', message};
  }
  const text = files.get(mount.pathInVolume);
  if (text !== undefined) return {ok: true, text};
  const message = `the file ${path} is not in volume ${volume.name} (${describeVolume(volume)}), or that cannot be read`;
  return {ok: false, reason: 'MissingConfig', message};
}

function describeVolume(volume: V1Volume): string {
  if (volume.configMap?.name !== undefined) return `ConfigMap ${volume.configMap.name}`;
  return volume.secret?.secretName === undefined ? 'a projected volume' : `Secret ${volume.secret.secretName}`;
}

/** Files by their path in the volume; undefined for volumes of other kinds. */
function volumeFiles(volume: V1Volume, source: LaunchSource): Map<string, string> | undefined {
  if (volume.configMap !== undefined) return dataFiles(source.configMaps(volume.configMap.name ?? ''), volume.configMap.items);
  if (volume.secret !== undefined) return dataFiles(source.secrets?.(volume.secret.secretName ?? ''), volume.secret.items);
  if (volume.downwardAPI !== undefined) return downwardFiles(volume.downwardAPI.items ?? [], source);
  if (volume.projected === undefined) return undefined;
  const files = (volume.projected.sources ?? []).map(({configMap, secret, downwardAPI}) => {
    if (configMap !== undefined) return dataFiles(source.configMaps(configMap.name ?? ''), configMap.items);
    if (secret !== undefined) return dataFiles(source.secrets?.(secret.name ?? ''), secret.items);
    return downwardFiles(downwardAPI?.items ?? [], source);
  });
  return new Map(files.flatMap(map => [...map]));
}

function dataFiles(data: Record<string, string> | undefined, items: V1KeyToPath[] | undefined): Map<string, string> {
  const files = new Map<string, string>();
  for (const [key, text] of Object.entries(data ?? {})) {
    if (items === undefined) files.set(key, text);
    for (const item of items ?? []) if (item.key === key) files.set(item.path, text);
  }
  return files;
}

function downwardFiles(items: readonly {path: string; fieldRef?: {fieldPath: string}}[], source: LaunchSource): Map<string, string> {
  const template: V1PodTemplateSpec = source.template;
  return new Map(items.flatMap(({path, fieldRef}) =>
    (fieldRef === undefined ? [] : [[path, fieldValue(fieldRef.fieldPath, template, source)] as const])));
}

const securitySections = {'client-transport-security': '', 'peer-transport-security': 'peer-'} as const;

/** Settings of etcd's configuration file by flag name; undefined if it is no mapping. */
export function configSettings(text: string): Map<string, string> | undefined {
  let parsed: unknown;
  try {
    parsed = parse(text);
  } catch {
    return undefined;
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) return undefined;
  const settings = new Map<string, string>();
  for (const [key, value] of Object.entries(parsed as Record<string, unknown>)) {
    const prefix = (securitySections as Partial<Record<string, string>>)[key];
    if (prefix !== undefined && typeof value === 'object' && value !== null) {
      for (const [name, inner] of Object.entries(value as Record<string, unknown>)) add(settings, `${prefix}${name}`, inner);
    } else {
      add(settings, key, value);
    }
  }
  return settings;
}

function add(settings: Map<string, string>, key: string, value: unknown): void {
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') settings.set(key, String(value));
}

/** The file with some settings changed, comments and order kept. Booleans and numbers stay what they are in YAML. */
export function changeConfig(text: string, changes: Readonly<Record<string, string>>): string {
  const document = parseDocument(text);
  if (!isMap(document.contents)) throw new TypeError('an etcd configuration file is a YAML mapping');
  for (const [flag, value] of Object.entries(changes)) document.set(flag, scalar(value));
  return document.toString({lineWidth: 0});
}

function scalar(value: string): string | boolean | number {
  if (value === 'true' || value === 'false') return value === 'true';
  return /^(0|[1-9]\d{0,14})$/.test(value) ? Number(value) : value;
}
