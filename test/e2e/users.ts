import {etcdctl} from './etcdctl.ts';
import type {Scenario} from './scenario.ts';

const secretName = 'etcd-root';

/** A user of the role root, and authentication enabled: from now on etcd answers nobody else. */
export async function enableAuth(scenario: Scenario, pod: string, password: string): Promise<void> {
  await etcdctl(scenario, pod, 'user', 'add', `root:${password}`);
  await etcdctl(scenario, pod, 'user', 'grant-role', 'root', 'root');
  await etcdctl(scenario, pod, 'auth', 'enable');
}

/** From now on etcd answers everybody again. The case's own user has to be set. */
export async function disableAuth(scenario: Scenario, pod: string): Promise<void> {
  await etcdctl(scenario, pod, 'auth', 'disable');
}

/** The Secret of that user, and what spec.target says of it. */
export async function createUserSecret(scenario: Scenario, password: string): Promise<{auth: never}> {
  await scenario.kube.create('secrets', {metadata: {name: secretName, namespace: scenario.namespace}, stringData: {username: 'root', password}});
  return {auth: {secretName} as never};
}

export async function changePassword(scenario: Scenario, password: string): Promise<void> {
  await scenario.kube.patch('secrets', scenario.namespace, secretName, {stringData: {password}});
}

/** How messages name it. */
export const secretWords = ({namespace}: Scenario): RegExp => new RegExp(`Secret ${namespace}/${secretName} \\(spec.target.auth\\)`);
