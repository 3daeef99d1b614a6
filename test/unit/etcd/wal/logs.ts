import fc from 'fast-check';
import {metadata} from './writer.ts';
import type {TestRecord} from './writer.ts';

/** What the log says after its first `count` records: a model of etcd's ReadAll, by hand. */
export function model(records: readonly TestRecord[]): {index: number; term: number; commit: number} {
  let log: {index: number; term: number}[] = [];
  let commit = 0;
  for (const record of records) {
    if (record.kind === 'entry') {
      log = [...log.filter(({index}) => index < record.index), {index: record.index, term: record.term}];
    } else if (record.kind === 'state') {
      commit = record.commit;
    }
  }
  const last = log.at(-1) ?? {index: 0, term: 0};
  return {...last, commit};
}

/** Logs as raft writes them: terms rise, later terms may overwrite what is not committed, the commit index only rises. */
export const logs = fc.array(fc.record({
  back: fc.nat(4), count: fc.integer({min: 1, max: 5}), newTerm: fc.boolean(), advance: fc.nat(6), cut: fc.nat(3),
  snapshot: fc.nat(4), bytes: fc.nat(40),
}), {minLength: 1, maxLength: 12}).map((batches) => {
  const records: TestRecord[] = [{kind: 'snapshot', index: 0, term: 0}];
  let term = 1;
  let last = 0;
  let commit = 0;
  for (const batch of batches) {
    if (batch.newTerm) {
      term++;
      last = Math.max(commit, last - batch.back);
    }
    for (let number = 0; number < batch.count; number++) {
      last++;
      records.push({kind: 'entry', term, index: last, ...(batch.bytes === 0 ? {} : {data: Buffer.alloc(batch.bytes, last)})});
    }
    commit = Math.min(last, commit + batch.advance);
    records.push({kind: 'state', term, vote: metadata.member, commit});
    if (batch.snapshot === 0 && commit > 0) {
      records.push({kind: 'snapshot', index: commit, term: termAt(records, commit)});
    }
    if (batch.cut === 0) {
      records.push({kind: 'cut'});
    }
  }
  return records;
});

function termAt(records: readonly TestRecord[], index: number): number {
  const entry = records.findLast((record) => record.kind === 'entry' && record.index === index);
  return entry?.kind === 'entry' ? entry.term : 0;
}
