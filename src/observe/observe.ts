import type {V1Node, V1Pod, V1PodTemplateSpec, V1Service, V1StatefulSet} from '@kubernetes/client-node';
import {backupStep, inFlight, pruneStep} from '../api/progress.ts';
import type {QuorumRecovery} from '../api/types.ts';
import {marks} from '../api/types.ts';
import {findContainer, mountOf, readLaunch} from '../etcd/launch/launch.ts';
import type {Launch, LaunchProblem} from '../etcd/launch/launch.ts';
import type {KubernetesClient} from '../kubernetes/client.ts';
import {claimName} from '../kubernetes/claims.ts';
import {hasFence, isTerminating, ordinalsOf, podName, runOf, statefulSetPod} from '../kubernetes/ownPods.ts';
import {templatesOf} from '../kubernetes/revisions.ts';
import type {SetTemplates} from '../kubernetes/revisions.ts';
import type {EtcdAccess} from './access.ts';
import {loadConfiguration} from './configuration.ts';
import {loadCredentials} from './credentials.ts';
import type {Credentials} from './credentials.ts';
import {loadDependents} from './dependents.ts';
import type {ClaimView, NodeView, Observation, OrdinalView} from './observation.ts';
import type {Launches} from './launches.ts';
import {loadRebuildJobs} from './rebuildJobs.ts';
import {loadSources} from './sources.ts';
import {isLaunch} from './observation.ts';
import {nodeView, placeOf} from './places.ts';
import {leadingElsewhere} from './services.ts';
import {loadStorage} from './storage.ts';

/** Which etcd members to ask: none where the step does not need it, because a silent one costs a deadline. */
export type Depth = 'Kubernetes' | 'Members' | {only: string[]};

export interface Observer {
  client: KubernetesClient;
  etcd: EtcdAccess;
  /** undefined: not configured, so nothing that needs a volume agent can be done. */
  agentImage: string | undefined;
  now: () => number;
  /** What was read of templates before; without it everything is read anew. */
  launches?: Launches;
  /** What the operator's own watches know; without it everything is asked for. */
  watched?: Watched;
}

/** Objects that the operator watches anyway, as it heard of them last. */
export interface Watched {
  /** The resources of a namespace; undefined: not all of them are watched. */
  resources(namespace: string): QuorumRecovery[] | undefined;
  /** A resource by its namespace and name. */
  resource(key: string): QuorumRecovery | undefined;
  /** undefined: not all of them are known yet. */
  nodes(): V1Node[] | undefined;
}

/** Names of the ConfigMaps that a template refers to. */
function configMapNames(template: V1PodTemplateSpec): string[] {
  const containers = [...(template.spec?.containers ?? []), ...(template.spec?.initContainers ?? [])];
  const names = [
    ...containers.flatMap((c) => (c.env ?? []).map((e) => e.valueFrom?.configMapKeyRef?.name)),
    ...containers.flatMap((c) => (c.envFrom ?? []).map((e) => e.configMapRef?.name)),
    ...(template.spec?.volumes ?? []).flatMap((v) => [v.configMap?.name, ...(v.projected?.sources ?? []).map((s) => s.configMap?.name)]),
  ];
  return [...new Set(names.filter((name) => name !== undefined))];
}

async function configMapsOf(client: KubernetesClient, namespace: string, template: V1PodTemplateSpec): Promise<Observation['configMaps']> {
  const loaded = await Promise.all(configMapNames(template).map(async (name) => [name, (await client.get('ConfigMap', namespace, name))?.data] as const));
  const byName = new Map(loaded);
  return (name) => byName.get(name);
}

function launchOf(resource: QuorumRecovery, source: {template: V1PodTemplateSpec; pod: string; serviceName: string | undefined}, configMaps: Observation['configMaps']): Launch | LaunchProblem {
  const {target} = resource.spec;
  const container = findContainer(source.template.spec ?? {containers: []}, target.container);
  if (!container.ok) return container;
  const {command, args} = target.launch ?? {};
  const result = readLaunch({
    template: source.template, container: container.container.name, podName: source.pod, namespace: resource.metadata.namespace ?? 'default', configMaps,
    ...(source.serviceName && {serviceName: source.serviceName}),
    ...(target.launch && {launch: {...(command && {command}), ...(args && {args})}}),
  });
  return result.ok ? result.launch : result;
}

async function claimViews(client: KubernetesClient, set: V1StatefulSet, ordinal: number, nodes: readonly NodeView[]): Promise<ClaimView[]> {
  const namespace = set.metadata?.namespace ?? 'default';
  return await Promise.all((set.spec?.volumeClaimTemplates ?? []).map(async (template) => {
    const name = claimName(set, template, ordinal);
    const object = await client.get('PersistentVolumeClaim', namespace, name);
    const volume = object?.spec?.volumeName ? await client.get('PersistentVolume', undefined, object.spec.volumeName) : undefined;
    return {template, name, object, volume, place: placeOf(object, volume, nodes)};
  }));
}

interface SetFacts {
  set: V1StatefulSet;
  templates: SetTemplates;
  pods: V1Pod[];
  nodes: NodeView[];
  configMaps: Observation['configMaps'];
}

async function ordinalView(observer: Observer, resource: QuorumRecovery, facts: SetFacts, ordinal: number): Promise<OrdinalView> {
  const {set, templates} = facts;
  const pod = podName(set, ordinal);
  const source = {set, ordinal, ...templates.of(ordinal)};
  const {uid, generation} = set.metadata ?? {};
  const parts = configMapNames(source.template).length > 0 ? undefined : [uid, generation, source.revision, pod, resource.spec.target];
  const read = () => launchOf(resource, {template: source.template, pod, serviceName: set.spec?.serviceName}, facts.configMaps);
  const launch = observer.launches?.of(parts, read) ?? read();
  const claims = await claimViews(observer.client, set, ordinal, facts.nodes);
  const {spec} = statefulSetPod(source);
  const onClaim = (path: string | undefined) => {
    if (path === undefined || !isLaunch(launch)) return undefined;
    const mount = spec && mountOf(spec, launch.container, path);
    return claims.find((claim) => claim.template.metadata?.name === mount?.volume);
  };
  const data = isLaunch(launch) ? onClaim(launch.dataDir) : undefined;
  const wal = isLaunch(launch) ? onClaim(launch.walDir) : undefined;
  return {
    ordinal, pod, launch, claims, data, wal: wal === data ? undefined : wal,
    object: facts.pods.find((candidate) => candidate.metadata?.name === pod),
    probe: {kind: 'NotAsked', why: 'not asked in this step'},
  };
}

/**
 * Of two resources for one StatefulSet one works, the other says so: the one that holds pods of it already, else the older one. Asked of all
 * that the namespace has, be they served by another operator, or on their way out.
 */
function olderFor(resource: QuorumRecovery, others: readonly QuorumRecovery[]): string | undefined {
  const age = (qr: QuorumRecovery) => `${new Date(qr.metadata.creationTimestamp ?? 0).toISOString()}/${qr.metadata.name ?? ''}`;
  const holds = ({status}: QuorumRecovery) => (status?.heldPods ?? []).length > 0;
  const first = (other: QuorumRecovery) => (holds(other) === holds(resource) ? age(other) < age(resource) : holds(other));
  return others.filter((other) => other.metadata.uid !== resource.metadata.uid && (other.metadata.deletionTimestamp === undefined || holds(other)))
    .filter((other) => other.spec.target.statefulSet === resource.spec.target.statefulSet && first(other))
    .map((other) => other.metadata.name ?? '')[0];
}

const selectorText = (set: V1StatefulSet) => Object.entries(set.spec?.selector.matchLabels ?? {}).map(([key, value]) => `${key}=${value}`).join(',');

export interface Observed {
  observation: Observation;
  /** For the acts that follow. */
  credentials: Credentials;
}

/**
 * Asks Kubernetes, and where the step needs it etcd, for everything that a decision is made from. Changes nothing. The resource's spec is
 * one that was checked; `specProblem` says why it is not the one that stands in the cluster.
 */
export async function observe(observer: Observer, resource: QuorumRecovery, specProblem: string | undefined, depth: Depth): Promise<Observed> {
  const {client} = observer;
  const namespace = resource.metadata.namespace ?? 'default';
  const {spec} = resource;
  const [set, nodeObjects, siblings, helpers, credentials, storage, dependents, configuration, sources, jobs] = await Promise.all([
    client.get('StatefulSet', namespace, spec.target.statefulSet),
    // A run decides by what is, not by what was heard.
    (inFlight(resource.status?.run) !== undefined ? undefined : observer.watched?.nodes()) ?? client.list('Node'),
    observer.watched?.resources(namespace) ?? client.list('QuorumRecovery', namespace),
    client.list('Pod', namespace, {labelSelector: `${marks.resource}=${resource.metadata.name ?? ''}`}),
    loadCredentials(client, namespace, spec, observer.now()),
    loadStorage(client, {metadata: resource.metadata, spec, status: resource.status ?? {}}),
    loadDependents(client, resource),
    loadConfiguration(client, resource),
    loadSources(client, resource),
    loadRebuildJobs(client, resource),
  ]);
  const nodes = nodeObjects.map(nodeView);
  const isFor = (step: string) => (pod: V1Pod) => pod.metadata?.annotations?.[marks.step] === step;
  const [prunes, saves] = [isFor(pruneStep), isFor(backupStep)];
  const base: Observation = {
    now: observer.now(), resource, spec, specProblem, status: structuredClone(resource.status ?? {}),
    set, templates: undefined, ordinals: [], helpers: helpers.filter((pod) => !prunes(pod) && !saves(pod)), pruners: helpers.filter(prunes), savers: helpers.filter(saves), strays: [], nodes, storage, dependents, configuration, sources, jobs, namespaceGoing: false, linearizable: false, service: undefined, services: [], elsewhere: [], authEnabled: undefined,
    duplicateOf: olderFor(resource, siblings), secretProblem: credentials.problem, agentImage: observer.agentImage ?? '', configMaps: () => undefined,
  };
  if (set === undefined) {
    const left = resource.status?.run === undefined ? [] : await client.list('Pod', namespace);
    return {observation: {...base, strays: straysIn(left, resource)}, credentials};
  }
  const [ownPods, revisions, service, services] = await Promise.all([
    client.list('Pod', namespace, {labelSelector: selectorText(set)}),
    client.list('ControllerRevision', namespace, {labelSelector: selectorText(set)}),
    set.spec?.serviceName ? client.get('Service', namespace, set.spec.serviceName) : undefined,
    servicesFor(client, resource, depth),
  ]);
  const owned = <T extends {metadata?: {ownerReferences?: {uid: string}[]}}>(objects: T[]) =>
    objects.filter((object) => object.metadata?.ownerReferences?.some((owner) => owner.uid === set.metadata?.uid));
  const pods = owned(ownPods);
  const templates = templatesOf(set, owned(revisions), pods);
  const ordinals = ordinalsOf(set);
  const configMaps = await configMapsOf(client, namespace, templates.of(ordinals[0] ?? 0).template);
  const facts = {set, templates, pods, nodes, configMaps};
  const views = await Promise.all(ordinals.map((ordinal) => ordinalView(observer, resource, facts, ordinal)));
  const problem = base.secretProblem ?? tlsMissing(views, spec.target.tls !== undefined);
  const strays = straysIn(ownPods.filter((pod) => !views.some(({object}) => object === pod)), resource);
  const namespaceGoing = await isGoing(client, namespace, resource, [...pods, ...helpers], ordinals.length);
  const observation: Observation = {...base, strays, namespaceGoing, templates, service, services, elsewhere: await leadingElsewhere(client, namespace, {set, ordinals: views, services}), configMaps, ordinals: views, secretProblem: problem};
  if (depth === 'Kubernetes' || problem !== undefined) return {observation, credentials};
  return {credentials, observation: await observer.etcd.probe(observation, credentials, depth === 'Members' ? undefined : depth.only)};
}

/** What leads clients to the members; a run has no question about it. */
const servicesFor = async (client: KubernetesClient, {metadata, status}: QuorumRecovery, depth: Depth): Promise<V1Service[]> =>
  (depth === 'Members' && inFlight(status?.run) === undefined ? await client.list('Service', metadata.namespace ?? 'default') : []);

/** Pods go first where a namespace is deleted, and all else only once they are gone: asked while some of the run's are going or missing. */
async function isGoing(client: KubernetesClient, namespace: string, {status}: QuorumRecovery, pods: readonly V1Pod[], ordinals: number): Promise<boolean> {
  if (status?.run === undefined || status.run.finishedAt !== undefined) return false;
  if (pods.length >= ordinals && !pods.some(isTerminating)) return false;
  return (await client.get('Namespace', undefined, namespace))?.metadata?.deletionTimestamp !== undefined;
}

/** Pods that this run made or fenced; helper pods are told apart by their label. */
const straysIn = (pods: readonly V1Pod[], {status}: QuorumRecovery): V1Pod[] => pods.filter((pod) =>
  pod.metadata?.labels?.[marks.helper] === undefined && (hasFence(pod) || (status?.run !== undefined && runOf(pod) === status.run.id)));

function tlsMissing(views: readonly OrdinalView[], hasTLS: boolean): string | undefined {
  const secured = views.find((view) => isLaunch(view.launch) && view.launch.clientTLS);
  return secured && !hasTLS ? `etcd in ${secured.pod} serves TLS: set spec.target.tls.secretName to a Secret with a client certificate` : undefined;
}
