import type {V1Container, V1PodSpec} from '@kubernetes/client-node';
import {isEtcdBinary} from './flags.ts';
import type {LaunchProblem} from './types.ts';

/** Registry and repository path of an image, without tag and digest. */
function repository(image: string): string {
  return image.replace(/@.*$/, '').replace(/:[^/:]*$/, '');
}

/** Images that are started through a script of their own, which rewrites the settings and changes the membership. */
export function hasOwnEntrypoint(image: string): boolean {
  return /bitnami/.test(repository(image));
}

function isEtcdImage(image: string): boolean {
  return /(^|\/)(etcd|etcd-[a-z0-9]+)$/.test(repository(image)) && !/(operator|backup|druid|exporter|defrag|browser|wrapper)/.test(repository(image));
}

const etcdVariables = new Set([
  'ETCD_NAME', 'ETCD_DATA_DIR', 'ETCD_INITIAL_CLUSTER', 'ETCD_LISTEN_PEER_URLS', 'ETCD_LISTEN_CLIENT_URLS', 'ETCD_INITIAL_ADVERTISE_PEER_URLS',
  'ETCD_INITIAL_CLUSTER_STATE', 'ETCD_CONFIG_FILE',
]);

/** Whether a container looks like an etcd member, by its command, its image or its environment. */
export function containerIsEtcd(container: V1Container): boolean {
  const words = [...container.command ?? [], ...container.args ?? []];
  if (words.some(word => isEtcdBinary(word) || /(^|[\s/;&])etcd\s+(\\\s*)?(-|"?\$)/.test(word))) return true;
  if ((container.env ?? []).some(({name}) => etcdVariables.has(name))) return true;
  const runsSomethingElse = (container.command?.length ?? 0) > 0;
  return !runsSomethingElse && isEtcdImage(container.image ?? '');
}

/** The container that runs etcd: the named one, the only one, the one called etcd, or the only one that looks like it. */
export function findContainer(podSpec: V1PodSpec, wanted?: string): {ok: true; container: V1Container} | LaunchProblem {
  const {containers} = podSpec;
  const names = containers.map(({name}) => name).join(', ');
  const problem = (message: string): LaunchProblem => ({ok: false, reason: 'NoContainer', message});
  if (wanted !== undefined) {
    const named = containers.find(({name}) => name === wanted);
    return named === undefined ? problem(`the template has no container ${wanted}; it has ${names}`) : {ok: true, container: named};
  }
  const [only] = containers;
  if (only !== undefined && containers.length === 1) return {ok: true, container: only};
  const called = containers.find(({name}) => name === 'etcd');
  if (called !== undefined) return {ok: true, container: called};
  const alike = containers.filter(containerIsEtcd);
  if (alike.length === 1 && alike[0] !== undefined) return {ok: true, container: alike[0]};
  return problem(alike.length === 0
    ? `none of the containers ${names} looks like etcd; set spec.target.container`
    : `several containers look like etcd (${alike.map(({name}) => name).join(', ')}); set spec.target.container`);
}

/** Whether what a container without a command runs can be told from its image. */
export function imageRunsEtcd(container: V1Container): boolean {
  return isEtcdImage(container.image ?? '') && !hasOwnEntrypoint(container.image ?? '');
}
