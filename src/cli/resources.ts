import type {Condition, QuorumRecovery} from '../api/types.ts';
import {CommandError, usageError} from './failure.ts';
import {readable} from './render/paint.ts';
import type {Invocation, Session} from './world.ts';

export const nameOf = ({metadata}: QuorumRecovery): string => metadata.name ?? '';
export const namespaceOf = ({metadata}: QuorumRecovery): string => metadata.namespace ?? 'default';

export const conditionOf = ({status}: QuorumRecovery, type: string): Condition | undefined => status?.conditions?.find((condition) => condition.type === type);

export async function listResources({api, namespace}: Session, all: boolean): Promise<QuorumRecovery[]> {
  const found = await api.list('QuorumRecovery', all ? undefined : namespace);
  return found.map((one) => readable(one)).sort((a, b) => (`${namespaceOf(a)}/${nameOf(a)}` < `${namespaceOf(b)}/${nameOf(b)}` ? -1 : 1));
}

/** The resource of that name, or the one for a StatefulSet of that name. */
export async function namedResource(session: Session, name: string): Promise<QuorumRecovery> {
  const {api, namespace} = session;
  const found = await api.get('QuorumRecovery', namespace, name);
  if (found !== undefined) return readable(found);
  const all = await listResources(session, false);
  const forSet = all.filter((one) => one.spec.target.statefulSet === name);
  if (forSet[0] !== undefined && forSet.length === 1) return forSet[0];
  const others = all.length === 0 ? 'There is none in this namespace' : `There ${all.length === 1 ? 'is' : 'are'} ${all.map(nameOf).join(', ')}`;
  throw new CommandError(`There is no QuorumRecovery ${name} in namespace ${namespace}. ${others}. To make one: kubectl quorum-recovery -n ${namespace} recover STATEFULSET`);
}

/** The resource that a command is about: the named one, else the only one of the namespace. */
export async function theResource({positionals: [name]}: Invocation, session: Session): Promise<QuorumRecovery> {
  if (name !== undefined) return await namedResource(session, name);
  const all = await listResources(session, false);
  if (all[0] !== undefined && all.length === 1) return all[0];
  if (all.length > 1) throw usageError(`Which one? Namespace ${session.namespace} has ${all.map(nameOf).join(', ')}`);
  throw new CommandError(`There is no QuorumRecovery in namespace ${session.namespace}. Other namespaces: kubectl quorum-recovery status -A. To make one: kubectl quorum-recovery -n ${session.namespace} recover STATEFULSET`);
}

/** It is for this very generation of the spec that the operator has spoken. */
export const isCurrent = ({metadata, status}: QuorumRecovery): boolean => metadata.generation === undefined || status?.observedGeneration === metadata.generation;
