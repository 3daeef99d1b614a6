/** How a pod that transfers is told where snapshots are. The operator imports this too, so it imports nothing. */

/** Environment variable with a StoreConfig as JSON. Credentials come in the variables that AWS's own tools read. */
export const storeVariable = 'SNAPSHOT_STORE';

export type StoreConfig =
  | {kind: 'claim'; /** For sentences. */ claim: string; /** Where the claim is mounted. */ root: string; /** Below it. */ path?: string}
  | {kind: 's3'; bucket: string; prefix?: string; endpoint?: string; region: string; forcePathStyle: boolean; /** File with the bundle. */ caFile?: string};
