import {table} from '../results.ts';
import type {Run} from '../results.ts';

/** The section on restores, between that on recoveries and those of other benchmarks; empty while none was measured. */
export function restoreSection(runs: readonly Run[]): string {
  if (runs.length === 0) return '';
  const sizes = [...new Set(runs.map(({databaseMB}) => databaseMB))];
  const tables = sizes.map((size) => {
    const count = runs.filter(({databaseMB, side}) => databaseMB === size && side === 'operator').length;
    return `### A snapshot of ${size} MB, ${count} restores by each side\n\n${table(runs, size)}\n`;
  });
  return `
## Restore after all three members are lost

The operator's RestoreSnapshot against \`test/bench/restore/runbook.sh\`, in the same lab and with the same client that measures as above.

${tables.join('\n')}
Each run has a fresh etcd 3.6.16 of three members on three fresh nodes, with 10,000 small keys and filled up to the size with values of 64 KiB (of
512 KiB from 100 MB on). A snapshot of it is in a directory that every node can mount as a claim. A client writes one key after the other, before
the snapshot, after it and through all that follows. Then all three nodes are killed, their Node objects are deleted, their disks are gone, and three
new nodes come. The clock starts

- for the operator with the change of \`spec.trigger.request\` of a QuorumRecovery that stands since before the loss. A restore is always approved: the bench does that
  in the moment that the plan stands. What comes *from the approval* leaves that time out, in which the operator fetches the snapshot once and reads all of it, so that the
  plan names one that can be restored;
- for the runbook with the start of the script, which is told the snapshot's name.

The **first accepted write** is through any pod that has the name of one of the set's pods and is new since the loss; **three equal voters** are as above.
At the end the 10,000 keys, every acknowledged write that the snapshot has, and every one that the new cluster acknowledged are looked up on each member.

The runbook is the shortest form that we know of: the StatefulSet is scaled to 0, the pods and claims of the lost nodes are deleted, a pod for each member mounts
its new claim and that of the store and runs \`etcdutl snapshot restore\` there, all at once, and the StatefulSet is scaled back. It copies no snapshot to and fro.

What the operator does besides in that time: look for the newest snapshot that verifies, prove that no old member can run any more, hold every name so that no etcd
starts on an empty claim, check the snapshot once more for each member, restore beside what is there, set aside what was there, and go on wherever it is killed.
`;
}
