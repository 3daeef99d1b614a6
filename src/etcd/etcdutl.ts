/** What `etcdutl snapshot status` says of a database. */
export interface EtcdutlFacts {
  /** As that etcdutl counts: from 3.6 on keys that are there, before that every entry of every bucket. */
  keys?: number;
  /** CRC32 over all buckets, in hex as etcdutl prints it for people. */
  hash?: string;
  revision?: number;
  totalSize?: number;
  /** etcdutl read the database and found it broken: its words. */
  broken?: string;
  /** Why it says nothing of the database. */
  missing?: string;
}

/** The command: it reads every page of the file and every key, opens it for reading only, and takes a shared lock. */
export const statusCommand = (file: string): string[] => ['etcdutl', 'snapshot', 'status', file, '--write-out=json'];

/** What `etcdutl snapshot restore` makes of a snapshot: the data of one member of a new cluster. */
export interface Restoring {
  file: string;
  name: string;
  initialCluster: string;
  peerURLs: readonly string[];
  token: string;
  dataDir: string;
  /** undefined: the WAL goes into the data directory. */
  walDir: string | undefined;
  /** Revisions that are left out, so that no client sees one twice; what is there is marked as compacted. */
  bump: number;
}

/** The command. etcdutl has `--bump-revision` from 3.5.10 on, and wants `--mark-compacted` with it (CHANGELOG-3.5). */
export const restoreCommand = ({file, name, initialCluster, peerURLs, token, dataDir, walDir, bump}: Restoring): string[] => [
  'etcdutl', 'snapshot', 'restore', file, `--name=${name}`, `--initial-cluster=${initialCluster}`, `--initial-advertise-peer-urls=${peerURLs.join(',')}`,
  `--initial-cluster-token=${token}`, `--data-dir=${dataDir}`, ...(walDir === undefined ? [] : [`--wal-dir=${walDir}`]), `--bump-revision=${bump}`, '--mark-compacted',
];

/** Words of etcdutl and bbolt for a database that is broken. Anything else that goes wrong says nothing of the database. */
const brokenWords = /integrity check failed|invalid database|checksum error|file size too small|nil bucket|cannot (parse|unmarshal|hash)|^panic: |^fatal error: fault|unexpected fault address|SIGBUS/m;

/** The words that count: etcdutl's own, before any stack of a panic. */
function firstWords(log: string): string {
  const lines = log.split('\n').map((line) => line.trim()).filter((line) => line !== '');
  const at = Math.max(0, lines.findIndex((line) => /^(Error: |panic: |fatal error: )/.test(line)));
  return lines.slice(at, at + 3).join(' ').slice(0, 300);
}

/** @param ended exit code and reason of its container @param log its output, both streams */
export function readStatus(ended: {exitCode: number; reason: string}, log: string): EtcdutlFacts {
  const {exitCode, reason} = ended;
  if (exitCode !== 0) {
    if (brokenWords.test(log)) return {broken: firstWords(log)};
    return {missing: `etcdutl ended with exit code ${exitCode} (${reason})${log.trim() === '' ? '' : `: ${firstWords(log)}`}`};
  }
  const line = log.split('\n').find((candidate) => candidate.startsWith('{'));
  try {
    const {hash, revision, totalKey, totalSize} = JSON.parse(line ?? '') as Record<string, unknown>;
    if (![hash, revision, totalKey, totalSize].every((value) => Number.isSafeInteger(value) && (value as number) >= 0)) throw new TypeError('numbers are missing');
    return {keys: totalKey as number, hash: (hash as number).toString(16), revision: revision as number, totalSize: totalSize as number};
  } catch {
    return {missing: `etcdutl says something else than was expected: ${firstWords(log)}`};
  }
}
