import {run} from '../lab/shell.ts';
import {labOf} from './faults.ts';
import type {Scenario} from './scenario.ts';

/** What a person does with a member that runs, as the case's user if it has one: etcd without authentication takes no notice of that. */
export async function etcdctl(scenario: Scenario, pod: string, ...words: string[]): Promise<void> {
  const lab = labOf(scenario);
  const {address, auth} = await scenario.member(pod);
  const user = auth === undefined ? [] : [`--user=${auth.username}:${auth.password}`];
  const [program = '', ...args] = lab.command([`${lab.bin}/etcdctl`, `--endpoints=http://${address}:2379`, ...user, ...words]);
  await run(program, args);
}
