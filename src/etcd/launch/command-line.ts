import type {V1Container} from '@kubernetes/client-node';
import {basename} from 'node:path/posix';
import {hasOwnEntrypoint, imageRunsEtcd} from './container.ts';
import {expand, expandWithOffsets} from './expand.ts';
import {flagsOfEnvironment, isEtcdBinary} from './flags.ts';
import type {ShellState} from './shell-expand.ts';
import {readScript} from './shell-script.ts';
import {NotUnderstood} from './shell-words.ts';

/** Where in the container more flags can be put. */
export type Insertion =
  | {type: 'args'}
  /** Offsets in that string as it stands in the template, before the kubelet expands it. */
  | {type: 'script'; field: 'command' | 'args'; index: number; start: number; end: number}
  /** The image's own entrypoint is etcd, without any words of the template. */
  | {type: 'none'};

export interface CommandLine {
  /** Words after `etcd`. */
  words: string[];
  insertion: Insertion;
  /** Variables that a script gives to etcd, beside those of the container. */
  exported: Map<string, string>;
  /** Where relative paths begin; undefined = not known (the image's own). */
  directory: string | undefined;
}

const shells = new Set(['sh', 'bash', 'ash', 'dash']);
const inits = new Set(['tini', 'tini-static', 'dumb-init', 'catatonit']);

/** What `hostname` and `hostname -d` say in the pod. */
export interface PodNames {
  hostname: string;
  domain: string | undefined;
}

/** The etcd command line of a container, as it is when the kubelet has expanded it. Throws `NotUnderstood`. */
export function commandLine(container: V1Container, variables: ReadonlyMap<string, string>, pod: PodNames): CommandLine {
  const lookup = (name: string): string | undefined => variables.get(name);
  const raw = [...container.command ?? [], ...container.args ?? []];
  const argv = raw.map(word => expand(word, lookup));
  const plain = (words: string[], insertion: Insertion = {type: 'args'}): CommandLine =>
    ({words, insertion, exported: new Map(), directory: container.workingDir});
  const start = afterInit(argv);
  const first = argv[start];
  if ((container.command?.length ?? 0) === 0 && (first === undefined || first.startsWith('-'))) {
    checkEntrypoint(container, variables);
    return plain(argv, {type: argv.length === 0 ? 'none' : 'args'});
  }
  if (first !== undefined && isEtcdBinary(first)) return plain(argv.slice(start + 1));
  if (first === undefined || !shells.has(basename(first))) throw new NotUnderstood(argv.join(' '));
  return inScript(container, argv, raw, scriptIndex(argv, start + 1), {variables, pod});
}

function checkEntrypoint(container: V1Container, variables: ReadonlyMap<string, string>): void {
  const image = container.image ?? '';
  if (hasOwnEntrypoint(image)) {
    throw new NotUnderstood(`the entrypoint of image ${image}, a script that rewrites settings and changes the membership`);
  }
  const settings = flagsOfEnvironment(variables);
  if (!imageRunsEtcd(container) && settings.size === 0) throw new NotUnderstood(`the entrypoint of image ${image}`);
}

/** Steps over an init process such as `tini -g --`. */
function afterInit(argv: string[]): number {
  if (!inits.has(basename(argv[0] ?? ''))) return 0;
  let index = 1;
  while (argv[index]?.startsWith('-') === true) index += 1;
  return index;
}

/** The index of the script in `sh -ec script`, `bash -o pipefail -c script`. */
function scriptIndex(argv: string[], from: number): number {
  let asScript = false;
  let index = from;
  for (; index < argv.length; index += 1) {
    const word = argv[index] ?? '';
    if (!/^[-+]/.test(word)) break;
    if (/^-[a-z]*c[a-z]*$/.test(word)) asScript = true;
    if (/^[-+][a-z]*o$/.test(word)) index += 1;
  }
  if (!asScript || index >= argv.length) throw new NotUnderstood(argv.join(' '));
  return index;
}

function inScript(
  container: V1Container, argv: string[], raw: string[], index: number,
  context: {variables: ReadonlyMap<string, string>; pod: PodNames},
): CommandLine {
  const {variables, pod} = context;
  const {text: script, originalOffset} = expandWithOffsets(raw[index] ?? '', name => variables.get(name));
  const state: ShellState = {
    // The runtime sets HOSTNAME; it is no variable that the kubelet expands.
    variables: new Map([['HOSTNAME', pod.hostname], ...variables]),
    positional: argv.slice(index + 2),
    hostname: pod.hostname,
    domain: pod.domain,
  };
  const found = readScript(script, state);
  const start = originalOffset(found.start);
  const end = originalOffset(found.end);
  if (start === undefined || end === undefined) throw new NotUnderstood(script.slice(found.start, found.end));
  const commandLength = container.command?.length ?? 0;
  const field = index < commandLength ? 'command' : 'args';
  return {
    words: found.words,
    insertion: {type: 'script', field, index: field === 'command' ? index : index - commandLength, start, end},
    exported: found.exported,
    directory: found.movedDirectory ? undefined : container.workingDir,
  };
}
