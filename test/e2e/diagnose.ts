import {existsSync, mkdirSync, readFileSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import type {CoreV1Event, V1Pod} from '@kubernetes/client-node';
import {stringify} from 'yaml';
import type {Scenario} from './scenario.ts';
import {standing} from './recovery.ts';

const when = (event: CoreV1Event): string => String(event.lastTimestamp ?? event.eventTime ?? event.metadata.creationTimestamp);

/** The operator's log lines of one namespace, from its pods or from the process that runs the sources. */
async function operatorLines({environment, kube, namespace}: Scenario): Promise<string[]> {
  const texts: string[] = [];
  const {operatorLog, operatorNamespace} = environment;
  if (operatorLog !== undefined && existsSync(operatorLog)) texts.push(readFileSync(operatorLog, 'utf8'));
  if (operatorNamespace !== undefined) {
    for (const pod of await kube.list('pods', operatorNamespace)) {
      const [container] = pod.spec?.containers ?? [];
      for (const previous of [true, false]) {
        texts.push(await kube.log(operatorNamespace, pod.metadata?.name ?? '', container?.name ?? '', {tailLines: 20_000, previous}).catch(() => ''));
      }
    }
  }
  return texts.flatMap((text) => text.split('\n')).filter((line) => line.includes(namespace) || /"level":"(fatal|error)"|"level":(50|60)/.test(line)).sort();
}

function podLine(pod: V1Pod): string {
  const states = [...pod.status?.initContainerStatuses ?? [], ...pod.status?.containerStatuses ?? []].map((status) => {
    const {running, waiting, terminated} = status.state ?? {};
    const state = running ? 'running' : waiting ? `waiting ${waiting.reason ?? ''}` : `terminated ${terminated?.reason ?? ''} ${terminated?.exitCode ?? ''}`;
    return `${status.name} ${state}${status.restartCount > 0 ? ` (${status.restartCount} restarts)` : ''}`;
  });
  const gates = (pod.spec?.schedulingGates ?? []).map((gate) => gate.name).join(',');
  return [
    pod.metadata?.name, pod.status?.phase, pod.spec?.nodeName ?? 'no node', pod.metadata?.deletionTimestamp ? 'TERMINATING' : '', gates && `gated ${gates}`,
    (pod.metadata?.finalizers ?? []).join(','), states.join('; '),
  ].filter((part) => part !== undefined && part !== '').join(' | ');
}

async function writeLogs({kube, namespace}: Scenario, pod: V1Pod, write: (name: string, content: string) => void): Promise<void> {
  const containers = [...pod.spec?.initContainers ?? [], ...pod.spec?.containers ?? []];
  for (const [name, previous] of containers.flatMap((container) => [[container.name, false], [container.name, true]] as const)) {
    const log = await kube.log(namespace, pod.metadata?.name ?? '', name, {tailLines: 200, previous}).catch(() => '');
    if (log !== '') write(`${pod.metadata?.name ?? ''}.${name}${previous ? '.previous' : ''}.log`, log);
  }
}

/** Writes everything that may explain a failure into a folder, and the most telling lines on the terminal. */
export async function diagnose(scenario: Scenario, title: string, error: unknown): Promise<void> {
  const {kube, namespace, environment} = scenario;
  const folder = join(environment.output, namespace);
  mkdirSync(folder, {recursive: true});
  const write = (name: string, content: string): void => { writeFileSync(join(folder, name), `${content}\n`); };
  const resources = await kube.list('quorumrecoveries', namespace);
  write('quorumrecoveries.yaml', stringify(resources));
  const pods = await kube.list('pods', namespace);
  write('pods.yaml', stringify(pods));
  write('pods.txt', pods.map(podLine).join('\n'));
  write('claims.yaml', stringify(await kube.list('persistentvolumeclaims', namespace)));
  write('statefulset.yaml', stringify(await kube.list('statefulsets', namespace)));
  write('nodes.yaml', stringify((await kube.list('nodes')).filter((node) => scenario.nodes.includes(node.metadata?.name ?? ''))));
  const events = (await kube.list('events', namespace)).sort((a, b) => (when(a) < when(b) ? -1 : 1))
    .map((event) => `${when(event)} ${event.type ?? ''} ${event.reason ?? ''} ${event.involvedObject.kind ?? ''}/${event.involvedObject.name ?? ''}: ${event.message ?? ''}`);
  write('events.txt', events.join('\n'));
  const lines = await operatorLines(scenario);
  write('operator.log', lines.join('\n'));
  for (const pod of pods) await writeLogs(scenario, pod, write);
  const message = error instanceof Error ? error.message : String(error);
  write('error.txt', error instanceof Error ? error.stack ?? message : message);
  const shown = [
    `--- ${title}: ${message.split('\n').slice(0, 4).join('\n')}`,
    ...resources.map((resource) => `    ${resource.metadata.name ?? ''}: ${standing(resource.status)}`),
    ...(resources[0]?.status?.run?.steps ?? []).map((step) => `      ${step.name}: ${step.state} ${step.message ?? ''}`.slice(0, 300)),
    ...pods.map((pod) => `    ${podLine(pod)}`),
    ...lines.slice(-8).map((line) => `    ${line.slice(0, 400)}`),
    ...events.filter((event) => event.includes(' Warning ')).slice(-5).map((event) => `    ${event.slice(0, 300)}`),
    `    more in ${folder}`,
  ];
  console.log(shown.slice(0, 40).join('\n'));
}
