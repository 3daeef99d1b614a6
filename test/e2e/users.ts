import {run} from '../lab/shell.ts';
import {labOf} from './faults.ts';
import type {Scenario} from './scenario.ts';

const secretName = 'etcd-root';

/** A user of the role root, and authentication enabled: from now on etcd answers nobody else. */
export async function enableAuth(scenario: Scenario, pod: string, password: string): Promise<void> {
  const lab = labOf(scenario);
  const {address} = await scenario.member(pod);
  for (const words of [['user', 'add', `root:${password}`], ['user', 'grant-role', 'root', 'root'], ['auth', 'enable']]) {
    const [program = '', ...args] = lab.command([`${lab.bin}/etcdctl`, `--endpoints=http://${address}:2379`, ...words]);
    await run(program, args);
  }
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
