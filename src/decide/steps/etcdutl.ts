import type {V1Pod} from '@kubernetes/client-node';
import type {OfflineFacts} from '../../api/types.ts';
import type {EtcdutlFacts} from '../../etcd/etcdutl.ts';
import {copyPod, copyStep, etcdutlContainer, etcdutlState} from '../../kubernetes/etcdutlPod.ts';
import type {Observation} from '../../observe/observation.ts';
import type {Decision, Transaction} from '../decision.ts';
import {wait} from '../decision.ts';
import {helperOf, runIn, sourceOf, survivorOf} from './common.ts';

/*
 * The etcdutl of the cluster's own image reads whole databases: each page and each key (docs/adr/0017). Where several disks could be started
 * from it has a say in which; of a single one it reads the copy, once the survivor serves.
 */

/** How long etcdutl may take after its pod was made, ms: a gigabyte takes seconds. */
const limitMs = 60_000;

/** What an agent read of a disk, kept with what etcdutl had said of the same one. */
export const recordOffline = (read: OfflineFacts, now: number): Transaction => (draft) => {
  if (!draft.run) return;
  const known = (draft.run.offline ?? []).find((facts) => facts.pod === read.pod);
  const said = known?.stage === 'Held' && read.stage === 'Held' ? known.etcdutl : undefined;
  const facts = {...(said && {etcdutl: said}), ...read, readAt: new Date(now).toISOString()};
  draft.run.offline = [...(draft.run.offline ?? []).filter((other) => other.pod !== facts.pod), facts].sort((a, b) => (a.pod < b.pod ? -1 : 1));
};

export const recordEtcdutl = (pod: string, etcdutl: EtcdutlFacts): Transaction => (draft) => {
  if (draft.run?.offline) draft.run.offline = draft.run.offline.map((facts) => (facts.pod === pod ? {...facts, etcdutl} : facts));
};

/** A database that etcdutl finds broken is nothing to start from, whatever our own reader, which reads a part of it, could read. */
export function withVerdict(facts: OfflineFacts, etcdutl: EtcdutlFacts): OfflineFacts {
  const unfit = facts.unfit ?? (etcdutl.broken === undefined ? undefined : `its database is broken, says etcdutl: ${etcdutl.broken}`);
  return {...facts, etcdutl, ...(unfit !== undefined && {unfit})};
}

const tooLate = ({now}: Observation, pod: V1Pod) => now - new Date(pod.metadata?.creationTimestamp ?? now).getTime() > limitMs;

/** Whether etcdutl in the pod of an inspection has ended, will not start, or had its time. */
export const etcdutlIsOver = (observation: Observation, pod: V1Pod): boolean =>
  pod.spec?.containers.some(({name}) => name === etcdutlContainer) !== true || etcdutlState(pod) !== undefined || tooLate(observation, pod);

/** The copy of the survivor's database is read while the run waits for something else; undefined: nothing is to be done now. */
export function readCopy(observation: Observation): Decision | undefined {
  const {id, force, offline = [], writableAt} = runIn(observation);
  // Not earlier: until the survivor serves, nothing takes its node's time.
  if (writableAt === undefined || force?.copy === undefined) return undefined;
  const survivor = survivorOf(observation);
  const facts = offline.find(({pod}) => pod === survivor.pod);
  if (facts === undefined || facts.etcdutl !== undefined) return undefined;
  const helper = helperOf(observation, copyStep, survivor.pod);
  if (helper === undefined) {
    if (survivor.object?.spec?.nodeName === undefined) return undefined;
    const pod = copyPod({observation, view: survivor, source: sourceOf(observation, survivor), run: id, copy: force.copy});
    return {kind: 'act', why: `etcdutl reads the copy of ${survivor.pod}'s database`, actions: [{type: 'OfferReader', pod, of: survivor.pod}]};
  }
  if (etcdutlState(helper) === undefined && !tooLate(observation, helper)) return undefined;
  return {kind: 'act', why: `recording what etcdutl says of the copy of ${survivor.pod}'s database`, actions: [{type: 'ReadEtcdutl', pod: helper, of: survivor.pod}]};
}

/** At the end of the run it is waited for: its pod goes then. */
export function copyIsRead(observation: Observation): Decision | undefined {
  const {pod} = survivorOf(observation);
  const known = runIn(observation).offline?.find((facts) => facts.pod === pod)?.etcdutl;
  const reads = known === undefined && helperOf(observation, copyStep, pod) !== undefined;
  return readCopy(observation) ?? (reads ? wait(`etcdutl reads the copy of ${pod}'s database`, 250) : undefined);
}
