import {mkdirSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {projectDirectory} from '../lab/paths.ts';
import {keptLossSection} from './lost-writes/document.ts';
import {machine, readRuns, table} from './results.ts';
import {restoreSection} from './restore/document.ts';
import {keptScaleSection} from './scale/document.ts';
import type {Run} from './results.ts';

/** Writes docs/reference/benchmarks.md from the runs that are kept. Its last sections are other benchmarks', and stay. */
export function writeDocument(): void {
  const directory = join(projectDirectory, 'docs', 'reference');
  mkdirSync(directory, {recursive: true});
  writeFileSync(join(directory, 'benchmarks.md'), `${document(readRuns('recovery'))}${restoreSection(readRuns('restore'))}${keptScaleSection()}${keptLossSection()}`);
}

function document(runs: readonly Run[]): string {
  const sizes = [...new Set(runs.map((run) => run.databaseMB))];
  const tables = sizes.map((size) => {
    const count = runs.filter((run) => run.databaseMB === size && run.side === 'operator').length;
    return `### A database of ${size} MB, ${count} recoveries by each side\n\n${table(runs, size)}\n`;
  });
  return `# Benchmarks

\`make bench\` writes this page but for its last two sections, and \`recovery.json\` and \`restore.json\` in \`test/bench/results\`, which have every
single run. \`RUNS=5 DATABASE_MB=10 RESTORE_MB=10,1074 make bench\` are its defaults; a size that is measured again replaces its earlier numbers, and
\`ONLY=recovery\` or \`ONLY=restore\` measures one of both.

## Recovery after two of three members are lost

The operator against \`test/bench/runbook.sh\`: the same recovery, done with kubectl and etcdctl as fast as a script can go through it.

${tables.join('\n')}
Measured on one machine with ${machine()}, on which the whole lab runs:
Kubernetes 1.35 with its control plane, seven nodes with a containerd and a kubelet each, and the client that measures. Absolute
times on real clusters differ: images have to be pulled, volumes provisioned and attached, and nodes have more than a part of two processors.
The ratio between the two sides, which take turns in the same lab, says more.

## What is measured

Each run has a fresh etcd 3.6.16 of three members on five fresh nodes, with 10,000 small keys and filled up to the database's size with
values of 64 KiB. A client writes one key after the other through all of it. Then the leader's node and one more are killed,
their Node objects are deleted, and the clock starts when the survivor says that it has no leader:

- for the operator with \`kubectl apply\` of a QuorumRecovery that names nothing but the StatefulSet (\`preserve.mode: Copy\`),
- for the runbook with the start of the script, which is told who survived and who is lost.

One and the same client, which knows nothing of either side, then looks for

- the **first accepted write**: through the survivor's new pod, which has the set's pod's name and no \`--force-new-cluster\` in its arguments;
- **three equal voters in own pods**: the member list is exactly three voters, each in a pod that the StatefulSet owns, and HashKV at the
  revision of a new write is equal on all three.

At the end the 10,000 keys and every acknowledged write that the survivor knew as committed, or that the new cluster acknowledged, are looked up on each member.
What only the lost members had acknowledged in their last moment cannot be on the survivor's disk, and is not counted.

## What the runbook does

It is the shortest form that we know of: the StatefulSet's object is deleted without its pods, so that no controller interferes;
the pods are stopped; the survivor's data is copied and forced in a helper pod; the survivor's pod is made by hand without the flag; the
others join as learners, one at a time, with fresh claims; the StatefulSet is created again and adopts the pods.
All manifests are made while the first pods stop, and nobody has to think or type.

It copies the data, as the operator does. It does not do the rest of what the operator does in the time that is measured: prove that
the lost members cannot run any more, compare the data that is left, write a plan and each step down before it is done, prove that nothing
can start in between, and survive being killed at any point.
It also takes the StatefulSet away for the time of the recovery, which the operator never does.

## What is not measured here

- The time until somebody notices, decides and finds the runbook. With the operator it is one \`kubectl apply\`.
- The operator's restart of one follower from the unmodified template, its last proof, comes after the times above.
- TLS, authentication, slow disks, image pulls, attached network volumes.
`;
}
