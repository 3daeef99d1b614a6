import {isEtcdError} from '../etcd/errors.ts';
import type {EtcdMember} from '../etcd/types.ts';
import type {DataCompared, OrdinalView} from './observation.ts';

/**
 * Whether all members hold the same data, by HashKV at one revision. Raft compares no content: logs whose entries have the same terms at the
 * same places match for it, and an empty cluster that wiped members elected begins with the very terms of the old one. undefined: not every
 * member answers, or one that compacts meanwhile cannot be compared.
 */
export async function compareData(views: readonly OrdinalView[], memberOf: (view: OrdinalView) => EtcdMember | undefined): Promise<DataCompared | undefined> {
  const answered = views.flatMap((view) => (view.probe.kind === 'Answered' ? [{pod: view.pod, revision: view.probe.status.revision, member: memberOf(view)}] : []));
  if (answered.length === 0 || answered.length < views.length) return undefined;
  const revision = Math.min(...answered.map((one) => one.revision));
  try {
    const hashes = await Promise.all(answered.map(async ({pod, member}) => ({pod, ...await member?.hashKV(revision)})));
    const [first] = hashes;
    if (hashes.some(({hash, compactRevision}) => hash === undefined || compactRevision !== first?.compactRevision)) return undefined;
    const other = hashes.find(({hash}) => hash !== first?.hash);
    return {same: other === undefined, words: `at revision ${revision} ${other === undefined || first === undefined ? 'all members have the same hash' : `${first.pod} and ${other.pod} have different hashes`}`};
  } catch (error) {
    if (isEtcdError(error)) return undefined;
    throw error;
  }
}
