import {readFileSync} from 'node:fs';
import {setTimeout as delay} from 'node:timers/promises';
import type {V1Pod} from '@kubernetes/client-node';
import {connectMember} from '../../src/etcd/member.ts';
import type {EtcdMember} from '../../src/etcd/member.ts';
import {Kube} from '../e2e/kube.ts';
import type {Measured, MeterOptions} from './measure.ts';

/*
 * Runs with the cluster's network: looks, as an impatient client would, for the first accepted write and for three equal voters.
 * It knows nothing of who recovers, and asks neither the operator nor the runbook. Standard output: one JSON line for each thing seen.
 */
const {kubeconfig, namespace, set, through, oldUIDs} = JSON.parse(readFileSync(0, 'utf8')) as MeterOptions;
const kube = new Kube(kubeconfig);
const clients = new Map<string, EtcdMember>();

/** One connection for each address and deadline; a try that takes longer than a second is given up, but for a hash, which reads the whole database. */
function client(address: string, deadlineMs = 1_000): EtcdMember {
  const key = `${address} ${deadlineMs}`;
  const known = clients.get(key);
  if (known) return known;
  const made = connectMember({address, port: 2379}, {deadlineMs});
  clients.set(key, made);
  return made;
}

const report = (seen: Partial<Measured>): void => { process.stdout.write(`${JSON.stringify(seen)}\n`); };

/** A pod that stands where one of the set's pods stands: its name and labels, new since the loss, and no force flag. */
function serves(pod: V1Pod): boolean {
  const words = (pod.spec?.containers ?? []).flatMap((container) => [...container.command ?? [], ...container.args ?? []]);
  const forced = words.some((word) => word.includes('--force-new-cluster'));
  return !forced && pod.metadata?.deletionTimestamp === undefined && pod.status?.podIP !== undefined && !oldUIDs.includes(pod.metadata?.uid ?? '');
}

/** Ends when a new pod of those that are told has accepted a write. */
async function writable(): Promise<void> {
  for (;;) {
    try {
      const pods = await kube.list('pods', namespace);
      const candidates = pods.filter((pod) => through.includes(pod.metadata?.name ?? '') && serves(pod));
      await Promise.any(candidates.map(async (pod) => await client(pod.status?.podIP ?? '').put('meter/writable', 'yes')));
      report({writableAt: Date.now()});
      return;
    } catch {
      // Not yet.
    }
    await delay(25);
  }
}

/** The addresses of three pods that the StatefulSet owns; undefined while there are fewer. */
async function ownAddresses(): Promise<Map<string, string> | undefined> {
  const [owner, pods] = await Promise.all([kube.get('statefulsets', namespace, set), kube.list('pods', namespace)]);
  const uid = owner?.metadata?.uid;
  const own = pods.filter((pod) => serves(pod) && pod.metadata?.ownerReferences?.some((reference) => reference.controller === true && reference.uid === uid));
  if (uid === undefined || own.length !== owner?.spec?.replicas) return undefined;
  return new Map(own.map((pod) => [pod.metadata?.name ?? '', pod.status?.podIP ?? '']));
}

/** Whether these are the voters, and hold the same data at the revision of a new write. */
async function equalVoters(addresses: Map<string, string>): Promise<boolean> {
  const via = client(addresses.get(through[0] ?? '') ?? '');
  const {members} = await via.memberList({linearizable: true});
  const voters = members.filter((member) => !member.isLearner).map((member) => member.name);
  if (members.length !== addresses.size || !voters.every((name) => addresses.has(name)) || voters.length !== addresses.size) return false;
  const {revision} = await via.put('meter/redundant', 'yes');
  const hashes = await Promise.all([...addresses.values()].map((address) => client(address, 10_000).hashKV(revision)));
  return hashes.every(({hash, compactRevision}) => hash === hashes[0]?.hash && compactRevision === hashes[0].compactRevision);
}

async function redundant(): Promise<void> {
  for (;;) {
    try {
      const addresses = await ownAddresses();
      if (addresses && await equalVoters(addresses)) {
        report({redundantAt: Date.now()});
        return;
      }
    } catch {
      // Not yet.
    }
    await delay(50);
  }
}

await writable();
await redundant();
process.exit(0);
