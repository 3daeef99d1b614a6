import {createHash} from 'node:crypto';

const ofHash = (hash: Buffer): string => hash.readBigUInt64BE(0).toString(16);

/**
 * The ID that etcd gives to a member of a cluster that it bootstraps or restores (etcd server/etcdserver/api/membership/member.go,
 * computeMemberID without a time): lower-case hex, as etcdctl shows it.
 */
export function memberIDOfNew(peerURLs: readonly string[], token: string): string {
  return ofHash(createHash('sha1').update([...peerURLs].sort().join('')).update(token).digest());
}

/** The ID of the cluster that these members begin (etcd server/etcdserver/api/membership/cluster.go, genID). */
export function clusterIDOfNew(memberIDs: readonly string[]): string {
  const bytes = Buffer.alloc(8 * memberIDs.length);
  const sorted = memberIDs.map((id) => BigInt(`0x${id}`)).sort((a, b) => (a < b ? -1 : 1));
  for (const [at, id] of sorted.entries()) bytes.writeBigUInt64BE(id, 8 * at);
  return ofHash(createHash('sha1').update(bytes).digest());
}
