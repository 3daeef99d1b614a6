import type {ConfChange, Entry, HardState, Metadata, SnapshotRecord} from './messages.ts';

/** A record that contradicts the ones before it: no raft node writes that. */
export class LogError extends Error {
  override readonly name = 'LogError';
}

export interface LoggedConfChange extends ConfChange {
  index: number;
  term: number;
}

interface Run {
  from: number;
  term: number;
}

/**
 * What a WAL's records add up to, as etcd's ReadAll and ValidSnapshotEntries see it: a later entry with a lower index cuts what
 * follows it; a snapshot counts if it is not beyond the commit index; the entries after the snapshot must be without a gap.
 * Everything is small whatever the log's length: terms are kept as runs, of entries only configuration changes.
 */
export class LogState {
  metadata: Metadata | undefined;
  hardState: HardState = {term: 0, vote: '0', commit: 0};
  readonly confChanges: LoggedConfChange[] = [];
  private readonly snapshots: SnapshotRecord[] = [];
  /** Entries after `base` up to `last` are known without a gap. */
  private base = 0;
  private last = 0;
  private readonly terms: Run[] = [];
  private empty = true;

  addMetadata(metadata: Metadata): void {
    const known = this.metadata;
    if (known !== undefined && (known.memberID !== metadata.memberID || known.clusterID !== metadata.clusterID)) {
      throw new LogError(`metadata names member ${metadata.memberID} of cluster ${metadata.clusterID}, `
        + `earlier it was ${known.memberID} of ${known.clusterID}`);
    }
    this.metadata = metadata;
  }

  addHardState(state: HardState): void {
    // A record's type is outside its checksum; this is what a changed type would do.
    if (state.term < this.hardState.term || state.commit < this.hardState.commit) {
      throw new LogError(`hard state goes back: term ${this.hardState.term} to ${state.term}, `
        + `commit ${this.hardState.commit} to ${state.commit}`);
    }
    this.hardState = state;
  }

  addSnapshot(snapshot: SnapshotRecord): void {
    this.snapshots.push(snapshot);
  }

  /** `decode` is called for configuration changes only. */
  addEntry(entry: Entry, decode: (entry: Entry) => ConfChange[]): void {
    if (this.empty || entry.index <= this.base || entry.index > this.last + 1) {
      // The first entry known, or one that stands after a snapshot from the leader: nothing before it counts any more.
      this.base = entry.index - 1;
      this.terms.length = 0;
      this.empty = false;
    }
    this.cut(entry.index);
    const before = this.terms.at(-1);
    if (before !== undefined && entry.term < before.term) {
      throw new LogError(`entry ${entry.index} of term ${entry.term} after an entry of term ${before.term}`);
    }
    if (before === undefined || before.term !== entry.term) {
      this.terms.push({from: entry.index, term: entry.term});
    }
    this.last = entry.index;
    if (entry.type !== 0) {
      const changes = decode(entry).map((change) => ({...change, index: entry.index, term: entry.term}));
      this.confChanges.push(...changes);
    }
  }

  /** The last snapshot record that is not beyond the commit index. */
  snapshot(): SnapshotRecord {
    const valid = this.snapshots.filter(({index}) => index <= this.hardState.commit);
    return valid.reduce((best, snapshot) => (snapshot.index >= best.index ? snapshot : best), {index: 0, term: 0});
  }

  /** Snapshot records beyond the commit index. They do not count: etcd was stopped before it took them over. */
  uncommittedSnapshots(): SnapshotRecord[] {
    return this.snapshots.filter(({index}) => index > this.hardState.commit);
  }

  /** Index and term of the last entry, those of the snapshot if no entry stands after it. */
  lastEntry(): {index: number; term: number} {
    const snapshot = this.snapshot();
    const term = this.terms.at(-1)?.term;
    return term !== undefined && this.last > snapshot.index ? {index: this.last, term} : snapshot;
  }

  /** Term of an entry, where the log still has it. */
  termAt(index: number): number | undefined {
    if (index <= this.base || index > this.last) {
      return undefined;
    }
    return this.terms.findLast(({from}) => from <= index)?.term;
  }

  /**
   * What etcd would stumble over at the log's end.
   * @throws {LogError}
   */
  check(): void {
    if (this.metadata === undefined) {
      throw new LogError('no metadata: the WAL does not say whose it is');
    }
    const snapshot = this.snapshot();
    const {index} = this.lastEntry();
    if (index > snapshot.index && this.base > snapshot.index) {
      throw new LogError(`entries ${snapshot.index + 1} to ${this.base} are missing: the last valid snapshot is at ${snapshot.index}`);
    }
    if (this.hardState.commit > index) {
      throw new LogError(`commit index ${this.hardState.commit} is beyond the last entry ${index}: the end of the log is lost`);
    }
  }

  private cut(index: number): void {
    while ((this.terms.at(-1)?.from ?? 0) >= index) {
      this.terms.pop();
    }
    while ((this.confChanges.at(-1)?.index ?? 0) >= index) {
      this.confChanges.pop();
    }
  }
}
