import type {V1Pod} from '@kubernetes/client-node';
import {signalPod} from './faults.ts';
import type {Scenario} from './scenario.ts';
import {until} from './wait.ts';

function namespaceOf({environment}: Scenario): string {
  if (environment.operatorNamespace === undefined) throw new Error('this case kills operators that the chart has installed');
  return environment.operatorNamespace;
}

/** The pod that holds the Lease. */
export async function leader(scenario: Scenario): Promise<V1Pod> {
  const namespace = namespaceOf(scenario);
  return await until('a leader among the operators', async () => {
    const holders = (await scenario.kube.list('leases', namespace)).map((lease) => lease.spec?.holderIdentity ?? '');
    return (await scenario.kube.list('pods', namespace)).find((pod) => holders.some((holder) => holder.startsWith(pod.metadata?.name ?? ' ')));
  }, {seconds: 60});
}

/**
 * SIGKILL for the operator's process in that pod, so that neither the kubelet nor the operator gets a chance to end anything in order. The kubelet starts it again.
 */
export function killOperator(pod: V1Pod): void {
  signalPod(pod, 'main.js', 'SIGKILL');
}

/** Ends the leader in this way, and waits until another one has the Lease. @returns seconds from the one to the other */
export async function handOver(scenario: Scenario, first: V1Pod, end: () => Promise<void> | void, seconds = 60): Promise<number> {
  const begin = Date.now();
  await end();
  await until('another leader', async () => ((await leader(scenario)).metadata?.uid === first.metadata?.uid ? undefined : true), {seconds, every: 50});
  return (Date.now() - begin) / 1000;
}
