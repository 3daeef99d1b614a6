import {marks} from '../api/types.ts';
import type {QuorumRecovery} from '../api/types.ts';
import type {KubernetesClient} from '../kubernetes/client.ts';

type Patcher = Pick<KubernetesClient, 'patch'>;

export const hasFinalizer = (resource: QuorumRecovery): boolean => (resource.metadata.finalizers ?? []).includes(marks.finalizer);

/** Keeps the resource, and with it the policy's parameter. One that is being deleted takes no new one. */
export async function addFinalizer(client: Patcher, base: QuorumRecovery): Promise<QuorumRecovery> {
  if (hasFinalizer(base) || base.metadata.deletionTimestamp !== undefined) return base;
  return await patchFinalizers(client, base, [...(base.metadata.finalizers ?? []), marks.finalizer]);
}

export async function dropFinalizer(client: Patcher, base: QuorumRecovery): Promise<QuorumRecovery> {
  return await patchFinalizers(client, base, (base.metadata.finalizers ?? []).filter((finalizer) => finalizer !== marks.finalizer));
}

async function patchFinalizers(client: Patcher, base: QuorumRecovery, finalizers: string[]): Promise<QuorumRecovery> {
  const {namespace, name = '', resourceVersion} = base.metadata;
  const patched = await client.patch('QuorumRecovery', namespace, name, {metadata: {resourceVersion, finalizers: finalizers.length > 0 ? finalizers : null}});
  return {...base, metadata: patched.metadata};
}
