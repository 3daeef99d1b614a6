import {existsSync, readFileSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {projectDirectory} from '../../lab/paths.ts';
import {machine} from '../results.ts';
import {lossTable, sum} from './results.ts';
import type {LossRun} from './results.ts';

const file = join(projectDirectory, 'docs', 'reference', 'benchmarks.md');
const title = '## Acknowledged writes on the survivor\'s disk';

/** The section as it stands in docs/reference/benchmarks.md, which it ends; empty if it was never measured. */
export function keptLossSection(): string {
  const page = existsSync(file) ? readFileSync(file, 'utf8') : '';
  const at = page.indexOf(`\n${title}\n`);
  return at < 0 ? '' : page.slice(at);
}

/** Puts these runs in the place of the section's earlier ones; the rest of the page stays. */
export function writeLossSection(runs: readonly LossRun[]): void {
  const page = existsSync(file) ? readFileSync(file, 'utf8') : '# Benchmarks\n';
  writeFileSync(file, `${page.slice(0, page.length - keptLossSection().length)}\n${section(runs)}`);
}

function section(runs: readonly LossRun[]): string {
  const answered = sum(runs, (run) => run.lostThoughSurvivorAnswered);
  return `${title}

\`make bench-loss\` writes this section and \`test/bench/results/loss.json\`, which has every single run. \`RUNS=100 make bench-loss\` is its
default; \`SEED=s\` draws the same delays and times again.

\`--force-new-cluster\` drops what the log holds beyond the commit index that the survivor knew of. Acknowledged writes can be there. The
operator's agent commits the log's last entry before the force ([data](../concepts/data.md)).

${lossTable(runs)}

Losses are counted among the acknowledged writes that the survivor's disk held. ${answered === 0 ? '' : `${answered.toLocaleString('en')} of those that plain force lost had been
answered by the survivor itself. `}The last column is the rest: writes that only the two lost members had, so that no way of forcing the
survivor could bring them back. Both followers share one disk here; a survivor that lagged behind would lack more.

Measured on one machine with ${machine()}. Other work on it at the same time means fewer
writes in a run.

### How it is measured

These are real processes of etcd 3.6.16 on loopback, with a real file system and fsync, and the agent's own command. They are not the whole
operator in Kubernetes: what it does around the agent is measured above, and tested end to end elsewhere.

- Each run has a fresh cluster of three, and a writer that keeps up to ${6 * 40} puts in flight through all three members, each key once. It
  records key, value and revision of every put that was answered.
- After 0.5 to 2 s the leader and one follower are killed with SIGKILL at the same instant. The other follower is the survivor. In half of
  the runs it is killed in that very instant too; in the other half it is stopped with SIGTERM 20 to 1,500 ms later.
- In half of each half the members reach one another through proxies that hold everything back for 5 to 20 ms, each way. In about half of
  these, what is on its way at the kill is lost with the link, as when a rack goes with its switch; else it still arrives.
- The survivor's log is read as it was left, record by record with its checksums: a put that is among its entries is on the disk. Nothing that
  is started on a copy has a say in that. The runs never cut the log behind a snapshot, so that all their entries are in it.
- One copy of the directory is started with \`--force-new-cluster\`. On another one the agent's \`prepare-force\` runs first, as in the
  operator's force pod. All keys of both are read; a write is there if its key has its value from the revision that its client was told.
- The run fails if a forced cluster holds a write that was not found on the disk, and the experiment if the operator lost a single
  write or etcd reports a dropped entry after the agent. \`node test/bench/lost-writes/main.ts --no-commit-tail\` is the control: there the
  agent leaves the log alone, the operator's column becomes that of plain force, and the experiment fails.

Processes are killed here, not machines: what etcd had written but not yet synced stays in the kernel. After a power loss less may be on
the disk, and would count as never on it. Only puts to etcd 3.6.16 are measured; the agent's tests commit the tails of 3.5 and 3.7 too.
`;
}
