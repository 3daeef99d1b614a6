import type {V1Container, V1CronJob, V1EnvVar, V1Job, V1JobSpec, V1JobTemplateSpec, V1PodSpec} from '@kubernetes/client-node';
import {apiVersion, kind, marks} from '../api/types.ts';
import {sha256} from '../decide/plans/plan.ts';
import {isLaunch} from '../observe/observation.ts';
import type {Observation} from '../observe/observation.ts';

const tlsVolume = 'quorumrecovery-tls';
const tlsDirectory = '/quorumrecovery-tls';

/** What etcdctl needs to find the new cluster. Nothing of a user: an empty cluster has none. */
function etcdctl({ordinals, spec: {target: {tls}}}: Observation, members: readonly string[]): V1EnvVar[] {
  const urls = ordinals.filter(({pod}) => members.includes(pod)).flatMap(({launch}) => (isLaunch(launch) ? launch.advertiseClientURLs : []));
  return [
    {name: 'ETCDCTL_API', value: '3'}, {name: 'ETCDCTL_ENDPOINTS', value: urls.join(',')},
    ...(tls === undefined ? [] : [
      {name: 'ETCDCTL_CACERT', value: `${tlsDirectory}/ca.crt`}, {name: 'ETCDCTL_CERT', value: `${tlsDirectory}/tls.crt`}, {name: 'ETCDCTL_KEY', value: `${tlsDirectory}/tls.key`},
    ]),
  ];
}

function pointed(container: V1Container, env: readonly V1EnvVar[], tls: boolean): V1Container {
  const own = (container.env ?? []).filter(({name}) => !env.some((one) => one.name === name));
  return {...container, env: [...own, ...env], ...(tls && {volumeMounts: [...(container.volumeMounts ?? []), {name: tlsVolume, mountPath: tlsDirectory, readOnly: true}]})};
}

/** `Load` or `Check`, and the name of the source or the check. */
export interface Part {
  step: 'Load' | 'Check';
  name: string;
}

/** How often Kubernetes starts its pod anew, where the CronJob does not say. */
const backoffLimit = 3;

/**
 * A name for each run, source and template: a template that was mended makes another Job. A check is asked of what is loaded: after a source
 * was loaded anew the answer of before is none.
 */
function jobName({resource, status: {run}}: Observation, {step, name}: Part, {spec: template}: V1JobTemplateSpec): string {
  const loaded = step === 'Check' ? run?.rebuild?.sources.map((source) => ({name: source.name, hash: source.hash, finishedAt: source.finishedAt})) : undefined;
  const of = sha256({run: run?.id, step, name, template, loaded}).slice('sha256-'.length, 'sha256-'.length + 8);
  return `${(resource.metadata.name ?? '').slice(0, 40).replace(/[^a-z0-9]+$/, '')}-${step.toLowerCase()}-${of}`;
}

/** The pod of the template, with what etcdctl needs in each container. */
function podSpec(observation: Observation, spec: V1PodSpec | undefined): V1PodSpec {
  const {status: {run}, spec: {target: {tls}}} = observation;
  const env = etcdctl(observation, run?.newCluster?.members ?? []);
  const point = (container: V1Container) => pointed(container, env, tls !== undefined);
  const {containers = [], initContainers, volumes = [], ...rest}: Partial<V1PodSpec> = spec ?? {};
  const items = tls === undefined ? [] : [{key: tls.caKey, path: 'ca.crt'}, {key: tls.certKey, path: 'tls.crt'}, {key: tls.keyKey, path: 'tls.key'}];
  return {
    restartPolicy: 'Never', ...rest, containers: containers.map(point), ...(initContainers && {initContainers: initContainers.map(point)}),
    volumes: [...volumes, ...(tls === undefined ? [] : [{name: tlsVolume, secret: {secretName: tls.secretName, items}}])],
  };
}

/** A Job from the CronJob's template, whose containers find the members of the new cluster in their environment. */
export function rebuildJob(observation: Observation, part: Part, cronJob: V1CronJob): V1Job {
  const {resource, status: {run}} = observation;
  const {namespace = 'default', name = '', uid = ''} = resource.metadata;
  const template = cronJob.spec.jobTemplate;
  const {metadata, spec} = template.spec?.template ?? {};
  const own: Partial<V1JobSpec> = {...template.spec};
  // Its end is what is waited for, and may be looked at much later: a Job that is gone is made again.
  delete own.ttlSecondsAfterFinished;
  return {
    apiVersion: 'batch/v1', kind: 'Job',
    metadata: {
      name: jobName(observation, part, template), namespace,
      labels: {...template.metadata?.labels, [marks.resource]: name},
      annotations: {...template.metadata?.annotations, [marks.run]: run?.id ?? '', [marks.step]: part.step},
      ownerReferences: [{apiVersion, kind, name, uid, controller: true}],
    },
    spec: {backoffLimit, ...own, suspend: false, template: {...(metadata && {metadata}), spec: podSpec(observation, spec)}},
  };
}

const holds = ({status}: V1Job, type: string) => status?.conditions?.find((condition) => condition.type === type && condition.status === 'True');

export type JobStanding = {at: 'Works'} | {at: 'Succeeded'} | {at: 'Failed'; why: string};

export function standingOf(job: V1Job): JobStanding {
  if (holds(job, 'Complete') !== undefined) return {at: 'Succeeded'};
  const failed = holds(job, 'Failed');
  return failed === undefined ? {at: 'Works'} : {at: 'Failed', why: [failed.reason, failed.message].filter((text) => text !== undefined).join(': ')};
}
