import {existsSync, readFileSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {projectDirectory} from '../../lab/paths.ts';
import {keptLossSection} from '../lost-writes/document.ts';
import {machine} from '../results.ts';
import {table} from './results.ts';
import type {Point} from './results.ts';

const file = join(projectDirectory, 'docs', 'reference', 'benchmarks.md');
const title = '## Watching many clusters';

const before = (): string => {
  const page = existsSync(file) ? readFileSync(file, 'utf8') : '# Benchmarks\n';
  return page.slice(0, page.length - keptLossSection().length);
};

/** The section as it stands in docs/reference/benchmarks.md, before that on lost writes; empty if it was never measured. */
export function keptScaleSection(): string {
  const at = before().indexOf(`\n${title}\n`);
  return at < 0 ? '' : before().slice(at);
}

/** Puts these points in the place of the section's earlier ones; the rest of the page stays. */
export function writeScaleSection(points: readonly Point[]): void {
  const [page, loss] = [before(), keptLossSection()];
  writeFileSync(file, `${page.slice(0, page.length - keptScaleSection().length)}\n${section(points)}${loss}`);
}

function section(points: readonly Point[]): string {
  return `${title}

\`make bench-scale\` writes this section and \`test/bench/results/scale.json\`. \`CLUSTERS=10,100,1000 make bench-scale\` is its default.

One operator, as its image starts it, watches clusters of three members over mutual TLS, all of them with \`OnQuorumLoss\`.

${table(points)}

- *resident* and *cores* are read from /proc from outside, over half a minute or more while all is well, after the first round is over.
- *ready* is from the start of the process to its first readiness; *first round* is from then until each cluster was seen whole.
- *loss suspected* is from the end of two members of one cluster to the suspicion in the resource's status: the longest of three, and their
  median in brackets. Each of the three leaves another member: the one that the watch is on, another follower, the leader. *silent loss*
  is the same where the two go without a word: nothing arrives at their addresses any more, and no connection ends.
- *together* is the same as *loss suspected* for so many clusters at the same moment (in brackets), the last of them.
- *probe lag*: a member of each cluster is asked for its status every 30 s; so much later than that, at most, one was.
- *connections* to members at the end of that minute, each with a watch.
- *load* is the machine's load average of that minute: beyond the number of its processors the operator waited for one, which makes times longer and
  CPU time dearer.

The API server and its etcd are real. Nodes, StatefulSets, pods and volumes are objects that nobody acts on; the members are stand-ins that speak
etcd's gRPC in one process, step down and end their watches as etcd does. Measured on one machine with ${machine()}, on which all of this runs.
Clusters are spread over 20 namespaces: each namespace costs two more watches on the API server.
`;
}
