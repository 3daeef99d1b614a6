import type {StoredSnapshot} from './snapshots.ts';

/** A member as etcd's store has it. */
export interface SimMember {
  id: string;
  /** '' until it has published itself. */
  name: string;
  peerURLs: string[];
  isLearner: boolean;
}

export interface LogEntry {
  term: number;
  /** `times`: so many puts in a row. */
  put?: {key: string; value: string; times?: number};
  remove?: {key: string};
  add?: SimMember;
  promote?: string;
  removeMember?: string;
  publish?: {id: string; name: string};
}

/** A member directory: WAL (log, term, commit) and what is applied of it. */
export interface Data {
  memberID: string;
  clusterID: string;
  /** Which cluster this is in truth: IDs stay the same over a force, this does not. */
  lineage: string;
  term: number;
  log: LogEntry[];
  commit: number;
  applied: number;
  members: SimMember[];
  removed: string[];
  keys: Map<string, string>;
  revision: number;
}

export const lastTerm = (data: Data) => data.log.at(-1)?.term ?? 0;

export const votersOf = (data: Data) => data.members.filter((member) => !member.isLearner);

export const quorumOf = (count: number) => Math.floor(count / 2) + 1;

function applyOne(data: Data, entry: LogEntry): void {
  if (entry.put) {
    data.keys.set(entry.put.key, entry.put.value);
    data.revision += entry.put.times ?? 1;
  }
  if (entry.remove && data.keys.delete(entry.remove.key)) data.revision += 1;
  if (entry.add) data.members = [...data.members.filter((member) => member.id !== entry.add?.id), {...entry.add}];
  const change = (id: string, more: Partial<SimMember>) => {
    data.members = data.members.map((member) => (member.id === id ? {...member, ...more} : member));
  };
  if (entry.promote !== undefined) change(entry.promote, {isLearner: false});
  if (entry.publish) change(entry.publish.id, {name: entry.publish.name});
  if (entry.removeMember !== undefined) {
    data.members = data.members.filter((member) => member.id !== entry.removeMember);
    data.removed = [...data.removed, entry.removeMember];
  }
}

export function apply(data: Data): void {
  while (data.applied < data.commit) {
    const entry = data.log[data.applied];
    if (entry === undefined) throw new Error(`member ${data.memberID} committed ${data.commit} of ${data.log.length} entries`);
    applyOne(data, entry);
    data.applied += 1;
  }
}

export const emptyData = (memberID: string, clusterID: string, lineage: string): Data => ({
  memberID, clusterID, lineage, term: 0, log: [], commit: 0, applied: 0, members: [], removed: [], keys: new Map(), revision: 1,
});

export const copyOf = (data: Data): Data => structuredClone(data);

/** A stable 16-digit ID from text, as etcd makes one from peer URLs and token. */
export function idOf(text: string): string {
  let [a, b] = [0x811c9dc5, 0x01000193];
  for (const character of text) {
    a = Math.imul(a ^ (character.codePointAt(0) ?? 0), 0x01000193) >>> 0;
    b = (Math.imul(b, 31) + (character.codePointAt(0) ?? 0) + a) >>> 0;
  }
  return (a || 1).toString(16) + b.toString(16).padStart(8, '0');
}

/** Hash over what is visible at the newest revision; equal data, equal hash. */
export function hashOf(data: Data): number {
  const text = [...data.keys].sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, value]) => `${key}=${value}`).join('\n');
  return Number.parseInt(idOf(`${text}@${data.revision}`).slice(0, 8), 16);
}

export interface Disk {
  /** Name of its PersistentVolume. */
  volume: string;
  /** undefined: a network volume. */
  node: string | undefined;
  /** The machine with this disk is gone for good. */
  destroyed: boolean;
  member: {is: 'absent'} | {is: 'guard'; run: string} | {is: 'data'; data: Data};
  copies: Map<string, Data>;
  aside: Data[];
  /** Attempt → UID of the pod that spent it, by run. */
  markers: Map<string, Map<number, string>>;
  /** Runs in which a member has joined from it. */
  joins: Set<string>;
  /** The log is damaged, or from its beginning, where it says whose it is, or all of it is: no etcd starts on it. */
  corrupt?: 'log' | 'whole log' | 'all' | undefined;
  /** No room for a copy. */
  full?: boolean;
  /** Runs that were pruned: they force nothing any more. */
  sealed?: Set<string>;
  /** What etcdutl has built from a snapshot beside the data. */
  built?: Data | undefined;
  /** Snapshots that were made of the member's own database, by run. */
  own?: Map<string, StoredSnapshot>;
  /** The last attempt whose data was put in place, by run. */
  seeded?: Map<string, number>;
  /** Tails that runs committed. */
  commits?: Map<string, {entries: number; from: number; to: number}>;
}

export const newDisk = (volume: string, node: string | undefined): Disk => ({
  volume, node, destroyed: false, member: {is: 'absent'}, copies: new Map(), aside: [], markers: new Map(), joins: new Set(),
});
