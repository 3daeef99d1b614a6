import assert from 'node:assert/strict';
import {randomBytes} from 'node:crypto';
import {readFileSync} from 'node:fs';
import {constants, setPriority} from 'node:os';
import {basename} from 'node:path';
import type {V1Pod} from '@kubernetes/client-node';
import {marks} from '../../src/api/types.ts';
import type {Lab} from '../lab/lab.ts';
import {processesOfPod} from '../lab/cgroups.ts';
import type {Scenario} from './scenario.ts';
import {setName} from './etcd.ts';
import {Missing, until} from './wait.ts';

export function labOf(scenario: Scenario): Lab {
  const {lab} = scenario.environment;
  if (lab === undefined) throw new Error('this case ends nodes, which only the lab can do');
  return lab;
}

/** The suddenly ended nodes of these pods; their Node objects stay. */
export async function endNodesOf(scenario: Scenario, pods: readonly string[]): Promise<string[]> {
  const nodes = await Promise.all(pods.map(async (pod) => await scenario.nodeOf(pod)));
  await Promise.all(nodes.map(async (node) => { await labOf(scenario).endNode(node); }));
  return nodes;
}

export async function deleteNodes(scenario: Scenario, nodes: readonly string[]): Promise<void> {
  await Promise.all(nodes.map(async (node) => { await scenario.kube.delete('nodes', '', node); }));
}

/** Two machines burn down, and an administrator or a cloud's controller deletes their Nodes. */
export async function loseNodesOf(scenario: Scenario, pods: readonly string[]): Promise<string[]> {
  const nodes = await endNodesOf(scenario, pods);
  await deleteNodes(scenario, nodes);
  return nodes;
}

/** Waits until Kubernetes itself says that the nodes do not answer. */
export async function untilNotReady(scenario: Scenario, nodes: readonly string[]): Promise<void> {
  await until(`NotReady of ${nodes.join(', ')}`, async () => {
    const found = await Promise.all(nodes.map(async (name) => await scenario.kube.get('nodes', '', name)));
    const ready = found.filter((node) => node?.status?.conditions?.some((condition) => condition.type === 'Ready' && condition.status === 'True'));
    return ready.length === 0 ? true : new Missing(`${ready.map((node) => node?.metadata?.name).join(', ')} still Ready`);
  }, {seconds: 120});
}

/** Waits until the member itself says that it has no leader: the quorum is lost. */
export async function untilNoLeader(scenario: Scenario, pod: string): Promise<void> {
  await until(`no leader on ${pod}`, async () => ((await scenario.etcdStatus(pod)).leader === '' ? true : undefined), {seconds: 30});
}

/** Writes the newest value of one key again and again until etcd accepts nothing more (alarm NOSPACE): what fills the database is history. */
export async function fillQuota(scenario: Scenario, pod: string): Promise<void> {
  const member = await scenario.member(pod);
  const value = randomBytes(384 * 1024).toString('base64');
  await assert.rejects(async () => { for (let round = 0; round < 100; round += 1) await scenario.tool.put(member, 'big', value); }, /database space exceeded/);
}

/** The processes of a pod that have this in a word of their command line. They are processes of this machine too. */
export function processesOf(pod: V1Pod | undefined, program: string): number[] {
  return processesOfPod(pod?.metadata?.uid ?? 'none').filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').some((word) => word.includes(program));
    } catch {
      return false;
    }
  });
}

/** A signal for these processes, of which there has to be one. */
export function signalPod(pod: V1Pod | undefined, program: string, signal: NodeJS.Signals): void {
  const pids = processesOf(pod, program);
  if (pids.length === 0) throw new Error(`no process of ${program} in pod ${pod?.metadata?.name ?? ''} (UID ${pod?.metadata?.uid ?? ''}) was found`);
  for (const pid of pids) process.kill(pid, signal);
}

/** The pod of the forced start, with its etcd running. */
export async function forcedStart(scenario: Scenario): Promise<V1Pod> {
  return await until('the forced start', async () => {
    const pods = await scenario.kube.list('pods', scenario.namespace, `${marks.helper}=Force`);
    const pod = pods[0];
    if (pod === undefined) return undefined;
    signalPod(pod, '--force-new-cluster', 'SIGCONT');
    return pod;
  }, {seconds: 180, every: 10});
}

/** The first agent of this step, stopped where it is before it has done its work. */
export async function stoppedAgent(scenario: Scenario, step: string): Promise<V1Pod> {
  const made = await until(`a pod for an agent of the step ${step}`, async () => {
    const pods = await scenario.kube.list('pods', scenario.namespace, `${marks.helper}=Agent`);
    const found = pods.filter((pod) => pod.metadata?.annotations?.[marks.step] === step);
    return found.length > 0 ? found : undefined;
  }, {seconds: 180, every: 5});
  // An agent can be done a quarter of a second after its start: until then only this machine is asked, since the API server may take that long.
  // This process must not wait for a processor longer than the agent lives.
  setPriority(constants.priority.PRIORITY_HIGH);
  const stopped = await until(`an agent of the step ${step}`, () => Promise.resolve(made.find((pod) => {
    const pids = processesOf(pod, 'agent/main.js');
    for (const pid of pids) process.kill(pid, 'SIGSTOP');
    return pids.length > 0;
  })), {seconds: 60, every: 1}).finally(() => { setPriority(constants.priority.PRIORITY_NORMAL); });
  return await scenario.pod(stopped.metadata?.name ?? '') ?? stopped;
}

/** This program in so many helper pods of a step, in each stopped where it is as soon as it is there. @returns what lets them go on */
export async function stoppedInAll(scenario: Scenario, step: string, program: string, count: number): Promise<() => void> {
  const made = await until(`${count} pods of the step ${step}`, async () => {
    const pods = await scenario.kube.list('pods', scenario.namespace, `${marks.helper}=Agent`);
    const found = pods.filter((pod) => pod.metadata?.annotations?.[marks.step] === step);
    return found.length === count ? found : new Missing(`${found.length} so far`);
  }, {seconds: 180, every: 5});
  const stopped = new Map<V1Pod, number[]>();
  setPriority(constants.priority.PRIORITY_HIGH);
  await until(`${program} in each of them`, () => {
    for (const pod of made.filter((one) => !stopped.has(one))) {
      const pids = processesOf(pod, program);
      for (const pid of pids) process.kill(pid, 'SIGSTOP');
      if (pids.length > 0) stopped.set(pod, pids);
    }
    return Promise.resolve(stopped.size === count ? true : new Missing(`in ${stopped.size} so far`));
  }, {seconds: 60, every: 1}).finally(() => { setPriority(constants.priority.PRIORITY_NORMAL); });
  return () => { for (const pid of [...stopped.values()].flat()) process.kill(pid, 'SIGCONT'); };
}

/** A claim's directory on its node, by its name there. */
export async function directoryOf(scenario: Scenario, claim: string): Promise<string> {
  const name = (await scenario.kube.get('persistentvolumeclaims', scenario.namespace, claim))?.spec?.volumeName ?? '';
  const {local, hostPath} = (await scenario.kube.get('persistentvolumes', '', name))?.spec ?? {};
  return basename(local?.path ?? hostPath?.path ?? '');
}

/** Its etcd was started anew without a quorum: it serves no client then, so what is on its disk is for the case's end to compare. */
export async function untilRunsAgain(scenario: Scenario, pod: string): Promise<void> {
  await until(`the etcd of ${pod} on its own data`, async () => {
    const found = await scenario.pod(pod);
    if ((found?.spec?.schedulingGates ?? []).length > 0 || found?.metadata?.deletionTimestamp !== undefined) return new Missing('it is held or stopping');
    const etcd = found?.status?.containerStatuses?.find(({name}) => name === 'etcd');
    return etcd?.state?.running === undefined ? new Missing(JSON.stringify(etcd?.state ?? {})) : true;
  }, {seconds: 90});
}

export const podNames = (count = 3): string[] => Array.from({length: count}, (_, ordinal) => `${setName}-${ordinal}`);
export const others = (survivor: string, count = 3): string[] => podNames(count).filter((pod) => pod !== survivor);
