/** Where everything of the scale benchmark is, from the number of a cluster alone: what writes the objects and what plays the members agree by it. */
export const voters = 3;
/** Not etcd's own, which a lab on the same machine may use. */
export const clientPort = 23_790;
export const domain = 'etcd.scale.svc';
export const nodeCount = 20;

export interface Place {
  namespace: string;
  set: string;
}

export const placeOf = (cluster: number, namespaces: number): Place =>
  ({namespace: `scale-${cluster % namespaces}`, set: `etcd-${cluster}`});

export const podOf = (cluster: number, ordinal: number): string => `etcd-${cluster}-${ordinal}`;

/** An address of loopback for each member, all of which Linux answers on without further ado. */
export function addressOf(cluster: number, ordinal: number): string {
  const number = cluster * voters + ordinal;
  return `127.${64 + (number >> 16)}.${(number >> 8) & 255}.${(number & 255)}`;
}

/** Decimal, as gRPC's JSON has 64-bit numbers. */
export const clusterID = (cluster: number): string => String(1_000_000 + cluster);
export const memberID = (cluster: number, ordinal: number): string => String(10_000_000 + cluster * voters + ordinal);
