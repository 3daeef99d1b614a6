import type {V1Container} from '@kubernetes/client-node';
import type {CommandLine} from './command-line.ts';
import {commandLine} from './command-line.ts';
import {configSettings, mountedFile} from './config-file.ts';
import {containerIsEtcd, findContainer} from './container.ts';
import type {Environment} from './environment.ts';
import {containerEnvironment, missingProblem} from './environment.ts';
import {environmentName, flagsOfEnvironment, parseFlags} from './flags.ts';
import {placeholder} from './placeholders.ts';
import {NotUnderstood} from './shell-words.ts';
import type {LaunchCarrier, LaunchOverride, LaunchProblem, LaunchSource} from './types.ts';

/** Which of the ways that etcd takes settings by gave this one. */
export type Origin = 'flag' | 'env' | 'script' | 'file';

export interface Resolved {
  ok: true;
  /** With `spec.target.launch` in place. */
  container: V1Container;
  carrier: LaunchCarrier;
  settings: Map<string, string>;
  origins: Map<string, Origin>;
  /** Names in the container's environment, empty ones included. */
  variables: ReadonlyMap<string, string>;
  line: CommandLine;
  file: {path: string; text: string; origin: Origin} | undefined;
}

/** The container with command and args of `spec.target.launch`; args alone leave the command, as in a pod. */
export function withLaunch(container: V1Container, launch: LaunchOverride | undefined): V1Container {
  if (launch === undefined) return container;
  const {command: _command, args: _args, ...rest} = container;
  const command = launch.command ?? (launch.args === undefined ? _command : container.command);
  const args = launch.args ?? (launch.command === undefined ? _args : undefined);
  return {...rest, ...(command === undefined ? {} : {command}), ...(args === undefined ? {} : {args})};
}

/** Where every setting of etcd comes from; one look for reading and for changing. */
export function resolve(source: LaunchSource): Resolved | LaunchProblem {
  const {spec} = source.template;
  const found = findContainer(spec ?? {containers: []}, source.container);
  if (!found.ok) return found;
  const container = withLaunch(found.container, source.launch);
  if (source.launch === undefined && !couldBeEtcd(container)) {
    return {
      ok: false, reason: 'NotEtcd',
      message: `container ${container.name} (image ${container.image ?? 'none'}) does not run etcd; set spec.target.container or spec.target.launch`,
    };
  }
  const environment = containerEnvironment(source, container);
  if (environment.missing.length > 0) return missingProblem(container.name, environment.missing);
  try {
    return settle(source, container, environment);
  } catch (error) {
    if (error instanceof NotUnderstood) return notUnderstood(container, error.fragment);
    throw error;
  }
}

/** Named or imaged as etcd, though its command may be a script that cannot be read. */
function couldBeEtcd(container: V1Container): boolean {
  const words = [...container.command ?? [], ...container.args ?? []];
  if (/(^|\/)(etcdctl|etcdutl)$/.test(words[0] ?? '')) return false;
  return containerIsEtcd(container) || /etcd/.test(container.image ?? '') || /etcd/.test(container.name);
}

export function notUnderstood(container: V1Container, fragment: string): LaunchProblem {
  return {
    ok: false,
    reason: 'LaunchNotUnderstood',
    message: `how container ${container.name} starts etcd is not understood at "${fragment.slice(0, 200)}": `
      + 'set spec.target.launch to the plain etcd command and args',
  };
}

function settle(source: LaunchSource, container: V1Container, environment: Environment): Resolved | LaunchProblem {
  const {variables} = environment;
  const line = commandLine(container, variables, {hostname: hostname(source), domain: domain(source)});
  const parsed = parseFlags(line.words);
  if (!parsed.ok) return notUnderstood(container, parsed.word);
  const environmentOfEtcd = new Map([...variables, ...line.exported]);
  const fromEnvironment = flagsOfEnvironment(environmentOfEtcd);
  const origin = (flag: string): Origin => {
    if (parsed.flags.has(flag)) return 'flag';
    return line.exported.has(environmentName(flag)) ? 'script' : 'env';
  };
  const path = parsed.flags.get('config-file') ?? fromEnvironment.get('config-file');
  if (path !== undefined && path !== '') return fromFile({source, container, variables, line}, path, origin('config-file'));
  const conflict = [...parsed.flags.keys()].find(flag => environmentOfEtcd.has(environmentName(flag)));
  if (conflict !== undefined) {
    return {
      ok: false, reason: 'LaunchNotUnderstood',
      message: `container ${container.name} sets --${conflict} and ${environmentName(conflict)}, with which etcd refuses to start: take one of them out`,
    };
  }
  const settings = new Map([...fromEnvironment, ...parsed.flags]);
  const origins = new Map([...settings.keys()].map(flag => [flag, origin(flag)]));
  return {ok: true, container, carrier: carrierOf(line, origins), settings, origins, variables, line, file: undefined};
}

function carrierOf(line: CommandLine, origins: Map<string, Origin>): LaunchCarrier {
  const where = origins.get('initial-cluster') ?? origins.get('initial-cluster-state');
  if (where === 'env' || line.insertion.type === 'none') return 'env';
  if (line.insertion.type === 'script') return 'shell';
  return where === undefined && line.words.length === 0 && origins.size > 0 ? 'env' : 'args';
}

function fromFile(
  found: {source: LaunchSource; container: V1Container; variables: ReadonlyMap<string, string>; line: CommandLine}, path: string, origin: Origin,
): Resolved | LaunchProblem {
  const {container} = found;
  const file = mountedFile(found.source, container, path, found.variables);
  if (!file.ok) {
    const message = `container ${container.name} starts etcd with --config-file: ${file.message}; set spec.target.launch, or make the file readable`;
    return {...file, message};
  }
  const settings = configSettings(file.text);
  if (settings === undefined) return notUnderstood(container, `the configuration file ${path}, which is no YAML mapping`);
  const origins = new Map([...settings.keys()].map(flag => [flag, 'file' as const]));
  return {
    ok: true, container, carrier: 'configFile', settings, origins, variables: found.variables, line: found.line, file: {path, text: file.text, origin},
  };
}

function hostname(source: LaunchSource): string {
  return source.template.spec?.hostNetwork === true ? placeholder('spec.nodeName') : source.podName;
}

function domain(source: LaunchSource): string | undefined {
  const service = source.serviceName ?? source.template.spec?.subdomain;
  return service === undefined ? undefined : `${service}.${source.namespace}.svc.${source.clusterDomain ?? 'cluster.local'}`;
}
