import type {V1Pod} from '@kubernetes/client-node';
import type {BlockedReason} from '../../api/reasons.ts';
import {membershipHooks} from '../../etcd/launch/launch.ts';
import {canFallBack, canReplace, canRestore, forceSupport, versionOfImage} from '../../etcd/versions.ts';
import {isLaunch} from '../../observe/observation.ts';
import type {Observation, OrdinalView} from '../../observe/observation.ts';
import {statefulSetPod} from '../../kubernetes/ownPods.ts';
import {agentPod, forcePod, joinerPod} from '../../kubernetes/helperPods.ts';
import {authWords} from '../refusals.ts';
import {snapshotRefusal} from '../snapshots.ts';
import {sourceOf} from '../steps/common.ts';

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
  if (support.supported) return undefined;
  return {reason: 'VersionNotForceable', message: `${survivor.pod} runs etcd ${version}: ${support.why}. Nothing is forced, and ${canFallBack(version) ? 'no database within reach can be restored in the place of a force' : 'its database cannot be restored in the place of a force either, which is done from 3.5.20 on: name an image of a later patch in the StatefulSet, with its version as the tag'}. Nothing was touched`};
}

function templateRefusal({templates, set, ordinals}: Observation): Refusal | undefined {
  if (templates?.rollout !== undefined) {
    return {reason: 'RolloutInProgress', message: `StatefulSet ${set?.metadata?.name ?? ''} is in the middle of a rollout: ${templates.rollout}. Its controller would delete the run's pods. Undo it (kubectl rollout undo) or finish it; the run goes on by itself then`};
  }
  return forcesRefusal(ordinals);
}

/** No pod is made from a template that forces. */
export function forcesRefusal(ordinals: readonly OrdinalView[]): Refusal | undefined {
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

export function authRefusal(observation: Observation, survivor: OrdinalView): Refusal | undefined {
  if (observation.authEnabled !== true || observation.spec.target.auth !== undefined) return undefined;
  return {reason: 'AuthRequired', message: authWords(survivor.pod)};
}

const noAgentImage: Refusal = {reason: 'AgentImageMissing', message: 'the operator does not know the image of the volume agent: set --agent-image (AGENT_IMAGE) to its own image'};

/** What would stop the run half-way, asked while nothing has been touched. */
export function preflight(observation: Observation, survivor: OrdinalView): Refusal | undefined {
  if (observation.agentImage === '') return noAgentImage;
  return templateRefusal(observation) ?? versionRefusal(survivor) ?? namesRefusal(observation) ?? authRefusal(observation, survivor) ?? snapshotRefusal(observation, survivor);
}

/** The same where a new cluster is started on all claims: nothing is forced, and the old one's users are its data's, or gone with it. */
export function newClusterPreflight(observation: Observation, first: OrdinalView): Refusal | undefined {
  if (observation.agentImage === '') return noAgentImage;
  const unread = observation.ordinals.find(({launch}) => !isLaunch(launch));
  if (unread !== undefined && !isLaunch(unread.launch)) return {reason: 'PodRefused', message: unread.launch.message};
  const version = versionOf(first);
  const known = canRestore(version) ? undefined : {reason: 'VersionNotForceable' as const, message: `${first.pod} runs etcd ${version || 'of an unknown version'}: a new cluster is started with etcd 3.5.10 and later, 3.6 and 3.7, whose etcdutl can move the revision. Name such an image, with its version as the tag, in the StatefulSet. Nothing was touched`};
  return templateRefusal(observation) ?? known ?? namesRefusal(observation);
}

/** Members are taken out of the list before others join: what joining is in this version has to be known before. */
function unknownVersion(anchor: OrdinalView): Refusal | undefined {
  const version = versionOf(anchor);
  if (canReplace(version)) return undefined;
  return {reason: 'VersionNotForceable', message: `${anchor.pod} runs etcd ${version || 'of an unknown version'}: members are replaced in etcd 3.5, 3.6 and 3.7. Nothing is removed`};
}

/** The same where members of a cluster that serves are replaced: nothing is forced, and nobody's data is copied. */
export function replacePreflight(observation: Observation, anchor: OrdinalView): Refusal | undefined {
  if (observation.agentImage === '') return noAgentImage;
  return templateRefusal(observation) ?? unknownVersion(anchor) ?? namesRefusal(observation) ?? authRefusal(observation, anchor);
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

/** Members that get a new volume need a class that exists. What serves needs none, so this is told and stops nobody. */
export function storageNotes({ordinals, storage: {classes}}: Observation, joiners: readonly string[]): string[] {
  const others = ordinals.filter((view) => joiners.includes(view.pod)).flatMap((view) => view.claims)
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
  return asTrials([agentPod({...options, step: 'Trial', command: ['inspect'], readOnly: false}), ...('pod' in forced ? [forced.pod] : []), own], survivor.pod);
}

/** The same for a member that is replaced: the agent on its volume, and the pod in which it joins. */
export function joinerTrials(observation: Observation, view: OrdinalView, run: string): V1Pod[] {
  const options = {observation, view, source: sourceOf(observation, view), run};
  const joiner = joinerPod({...options, cluster: ''});
  return asTrials([agentPod({...options, step: 'Trial', command: ['set-aside'], readOnly: false}), ...('pod' in joiner ? [joiner.pod] : [])], view.pod);
}

/** The same where a new cluster is started on all claims: one member stands for all, whose pods differ in names. */
export function newClusterTrials(observation: Observation, run: string, pod: string): V1Pod[] {
  const first = observation.ordinals.find((view) => view.pod === pod);
  return first === undefined ? [] : [...joinerTrials(observation, first, run), ...ownTrials(observation, [first]).map((pod) => ({...pod, metadata: {...pod.metadata, name: `${first.pod}-trial-own`}}))];
}

/** The same for pods that are only made again. */
export const ownTrials = (observation: Observation, views: readonly OrdinalView[]): V1Pod[] =>
  views.flatMap((view) => asTrials([statefulSetPod(sourceOf(observation, view))], view.pod));

const asTrials = (pods: readonly V1Pod[], name: string): V1Pod[] => pods.map((pod, index) => {
  const trial = structuredClone(pod);
  trial.metadata = Object.assign(trial.metadata ?? {}, {name: `${name}-trial-${index}`});
  return trial;
});
