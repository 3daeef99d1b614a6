#!/usr/bin/env node
import {pathToFileURL} from 'node:url';
import {globalOptions} from './arguments.ts';
import type {Options, OptionSpec} from './arguments.ts';
import {commandOf, commands, isCommand} from './commands.ts';
import type {Api} from './kube/api.ts';

/** How cobra's completion tells the shell not to offer files (ShellCompDirectiveNoFileComp). */
const noFiles = ':4';

interface Names {
  resources: (words: readonly string[]) => Promise<string[]>;
  statefulSets: (words: readonly string[]) => Promise<string[]>;
  contexts: (words: readonly string[]) => Promise<string[]>;
}

const valueAfter = (words: readonly string[], ...names: string[]): string | undefined =>
  words.map((word, index) => (names.includes(word) ? words[index + 1] : names.map((name) => `${name}=`).filter((start) => start.startsWith('--') && word.startsWith(start)).map((start) => word.slice(start.length))[0])).find((value) => value !== undefined);

async function asked(words: readonly string[], what: (api: Api, namespace: string) => Promise<string[]>): Promise<string[]> {
  const [{connectionOf}, {HttpApi}] = await Promise.all([import('./kube/kubeconfig.ts'), import('./kube/http.ts')]);
  const connection = await connectionOf({
    kubeconfig: valueAfter(words, '--kubeconfig'), context: valueAfter(words, '--context'), namespace: valueAfter(words, '-n', '--namespace'), server: valueAfter(words, '-s', '--server'),
  });
  const api = new HttpApi(connection);
  try {
    return await what(api, connection.namespace);
  } finally {
    api.close();
  }
}

const clusterNames: Names = {
  resources: async (words) => await asked(words, async (api, namespace) => (await api.list('QuorumRecovery', namespace)).map(({metadata}) => metadata.name ?? '')),
  statefulSets: async (words) => await asked(words, async (api, namespace) => (await api.list('StatefulSet', namespace)).map(({metadata}) => metadata?.name ?? '')),
  contexts: async (words) => (await import('./kube/kubeconfig.ts')).contextNames(valueAfter(words, '--kubeconfig')),
};

function optionNamed(options: Options, word: string | undefined): {name: string; spec: OptionSpec} | undefined {
  const found = Object.entries(options).find(([name, {short}]) => word === `--${name}` || (short !== undefined && word === `-${short}`));
  return found && {name: found[0], spec: found[1]};
}

/** What may stand in the place of the last word. A question to the cluster that fails offers nothing: a shell is no place for its errors. */
export async function candidates(words: readonly string[], names: Names = clusterNames): Promise<string[]> {
  const before = words.slice(0, -1);
  const last = words.at(-1) ?? '';
  const command = before.find((word) => isCommand(word));
  const options: Options = {...globalOptions, ...(command !== undefined && isCommand(command) && commandOf(command).options)};
  const open = optionNamed(options, before.at(-1));
  if (open?.spec.type === 'string') return open.name === 'context' ? await names.contexts(words).catch(() => []) : [...open.spec.values ?? []];
  if (last.startsWith('-')) return Object.entries(options).map(([name, {summary}]) => `--${name}\t${summary}`);
  if (command === undefined || !isCommand(command)) return Object.entries(commands).map(([name, {summary}]) => `${name}\t${summary}`);
  const {takes} = commandOf(command);
  const given = before.slice(before.indexOf(command) + 1).filter((word, index, all) => !word.startsWith('-') && optionNamed(options, all[index - 1])?.spec.type !== 'string').length;
  switch (takes[given]) {
    case 'resource': return await names.resources(words).catch(() => []);
    case 'statefulset': return await names.statefulSets(words).catch(() => []);
    case 'shell': return ['bash', 'zsh', 'fish'];
    case 'command': return Object.keys(commands);
    case undefined: default: return [];
  }
}

/** Answers as cobra's programs do, because that is how kubectl asks a plugin's completion: a line each, then the directive. */
export async function complete(words: readonly string[]): Promise<number> {
  const last = words.at(-1) ?? '';
  const found = (await candidates(words)).filter((candidate) => candidate.startsWith(last));
  process.stdout.write(`${[...found, noFiles].join('\n')}\n`);
  return 0;
}

// kubectl runs kubectl_complete-quorum_recovery with the words so far; npm's bin is a link to this file.
if (process.argv[1] !== undefined && (import.meta.url === pathToFileURL(process.argv[1]).href || /kubectl_complete-/.test(process.argv[1]))) {
  process.exitCode = await complete(process.argv.slice(2));
}
