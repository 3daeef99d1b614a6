import type {V1Pod} from '@kubernetes/client-node';
import type {BlockedReason} from '../api/reasons.ts';
import {membershipHooks} from '../etcd/launch/launch.ts';
import {forceSupport, versionOfImage} from '../etcd/versions.ts';
import {isLaunch} from '../observe/observation.ts';
import type {Observation, OrdinalView} from '../observe/observation.ts';
import {statefulSetPod} from '../kubernetes/ownPods.ts';
import {agentPod, forcePod} from '../kubernetes/helperPods.ts';
import {authWords} from './refusals.ts';
import {snapshotRefusal} from './snapshots.ts';
import {sourceOf} from './steps/common.ts';

export interface Refusal {
  reason: BlockedReason;
  message: string;
}

/** etcd's version: as a member says it, else as the image's tag does; '' if neither tells. */
export function versionOf(survivor: OrdinalView): string {
  if (survivor.probe.kind === 'Answered') return survivor.probe.status.version;
  if (!isLaunch(survivor.launch)) return '';
  const version = versionOfImage(survivor.launch.image);
  return version === undefined ? '' : `${version.major}.${version.minor}.${version.patch}`;
}

function versionRefusal(survivor: OrdinalView): Refusal | undefined {
  const version = versionOf(survivor);
  if (version === '') {
    return {reason: 'VersionNotForceable', message: `the etcd version of ${survivor.pod} cannot be told: it does not answer, and its image has no version tag. Use an image with a version tag`};
  }
  const support = forceSupport(version);
  return support.supported ? undefined : {reason: 'VersionNotForceable', message: `${survivor.pod} runs etcd ${version}: ${support.why}. Nothing is forced`};
}

function templateRefusal({templates, set, ordinals}: Observation): Refusal | undefined {
  if (templates?.rollout !== undefined) {
    return {reason: 'RolloutInProgress', message: `StatefulSet ${set?.metadata?.name ?? ''} is in the middle of a rollout: ${templates.rollout}. Its controller would delete the run's pods. Undo it (kubectl rollout undo) or finish it; the run goes on by itself then`};
  }
  const forcing = ordinals.find((view) => isLaunch(view.launch) && view.launch.forceNewCluster);
  if (forcing) {
    return {reason: 'TemplateForces', message: `the template starts ${forcing.pod} with --force-new-cluster: each restart would throw the other members out again. Take the flag out of the StatefulSet`};
  }
  return undefined;
}

/** Peers must find a learner by name before it is Ready, and a learner is never Ready before it is promoted. */
function namesRefusal(observation: Observation): Refusal | undefined {
  const service = observation.service;
  const name = observation.set?.spec?.serviceName;
  if (name === undefined || name === '') return undefined;
  const byName = observation.ordinals.some((view) => isLaunch(view.launch) && view.launch.initialAdvertisePeerURLs.some((url) => url.includes(`.${name}.`) || url.includes(`.${name}:`)));
  if (!byName) return undefined;
  if (service === undefined) return {reason: 'NamesNotPublished', message: `the peer URLs use Service ${name}, which does not exist: create it (headless, publishNotReadyAddresses: true)`};
  if (service.spec?.publishNotReadyAddresses === true) return undefined;
  return {reason: 'NamesNotPublished', message: `Service ${name} does not publish the names of pods that are not ready, so no learner could be found by its peers: set publishNotReadyAddresses: true on it`};
}

function authRefusal(observation: Observation, survivor: OrdinalView): Refusal | undefined {
  if (observation.authEnabled !== true || observation.spec.target.auth !== undefined) return undefined;
  return {reason: 'AuthRequired', message: authWords(survivor.pod)};
}

/** What would stop the run half-way, asked while nothing has been touched. */
export function preflight(observation: Observation, survivor: OrdinalView): Refusal | undefined {
  if (observation.agentImage === '') {
    return {reason: 'AgentImageMissing', message: 'the operator does not know the image of the volume agent: set --agent-image (AGENT_IMAGE) to its own image'};
  }
  return templateRefusal(observation) ?? versionRefusal(survivor) ?? namesRefusal(observation) ?? authRefusal(observation, survivor) ?? snapshotRefusal(observation, survivor);
}

/** Hooks and sidecars that change the membership on their own: named in the plan, and taken out of the run's own pods. */
export function hookNotes(observation: Observation): string[] {
  const template = observation.templates?.of(observation.ordinals[0]?.ordinal ?? 0).template;
  const launch = observation.ordinals[0]?.launch;
  const etcd = launch !== undefined && isLaunch(launch) ? launch.container : '';
  return membershipHooks(template?.spec ?? {containers: []}, etcd).map(({container, where, what}) =>
    `container ${container}: its ${where} changes the membership (${what}); it is left out of the run's own pods, and still runs when an old pod is stopped`);
}

/** A raised alarm is settled in the forced start (phases/alarms.ts): what will be done is said beforehand. */
export function alarmNotes({probe}: OrdinalView): string[] {
  if (probe.kind !== 'Answered' || !probe.status.errors.some((error) => error.includes('NOSPACE'))) return [];
  return ['etcd says that its database fills its quota (alarm NOSPACE): before any client can write, the history is compacted to the newest revision, the database defragmented and the alarm disarmed'];
}

/** Members that get a new volume need a class that exists. The survivor needs none, so this is told and stops nobody. */
export function storageNotes({ordinals, storage: {classes}}: Observation, survivor: string): string[] {
  const others = ordinals.filter((view) => view.pod !== survivor).flatMap((view) => view.claims)
    .filter((claim) => claim.place.at === 'GoneNode' || claim.place.at === 'Missing' || claim.place.at === 'Unbound');
  return others.flatMap(({name, template}) => {
    const wanted = template.spec?.storageClassName;
    if (wanted === '' || classes.some((one) => (wanted === undefined ? one.isDefault : one.name === wanted))) return [];
    return [`claim ${name} needs a new volume, and ${wanted === undefined ? 'no StorageClass is the default' : `StorageClass ${wanted} does not exist`}: unless a volume is there for it, its member stays held`];
  });
}

/** The run's pods under other names, to be created as a dry run: quota, Pod Security and other policies speak now, not half-way. */
export function trialPods(observation: Observation, survivor: OrdinalView, run: string): V1Pod[] {
  const source = sourceOf(observation, survivor);
  const options = {observation, view: survivor, source, run};
  const forced = forcePod({...options, attempt: 1, members: undefined});
  const own = statefulSetPod(source);
  const pods = [agentPod({...options, step: 'Trial', command: ['inspect'], readOnly: false}), ...('pod' in forced ? [forced.pod] : []), own];
  return pods.map((pod, index) => {
    const trial = structuredClone(pod);
    trial.metadata = Object.assign(trial.metadata ?? {}, {name: `${survivor.pod}-trial-${index}`});
    return trial;
  });
}
