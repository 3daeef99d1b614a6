import {clusterFindings} from '../doctor/cluster.ts';
import {dependentFindings} from '../doctor/dependents.ts';
import {clusterFacts, setFacts} from '../doctor/facts.ts';
import type {Finding} from '../doctor/finding.ts';
import {isEtcd, setFindings} from '../doctor/set.ts';
import {CommandError, exit} from '../failure.ts';
import {renderFindings, renderVerdict} from '../render/findings.ts';
import {readable} from '../render/paint.ts';
import type {View} from '../render/status.ts';
import type {Invocation, Session, World} from '../world.ts';
import {text} from '../world.ts';

/** The named set, else those of the namespace that can be read as an etcd. */
async function setsOf({positionals: [name]}: Invocation, session: Session) {
  const {api, namespace} = session;
  const all = readable(await api.list('StatefulSet', namespace));
  const wanted = name === undefined ? all : all.filter((set) => set.metadata?.name === name);
  if (name !== undefined && wanted.length === 0) throw new CommandError(`There is no StatefulSet ${name} in namespace ${namespace}${all.length === 0 ? '' : `: it has ${all.map((set) => set.metadata?.name ?? '').join(', ')}`}`);
  const facts = await Promise.all(wanted.map(async (set) => await setFacts(session, set)));
  return name === undefined ? facts.filter(isEtcd) : facts;
}

export async function run(invocation: Invocation, world: World): Promise<number> {
  const {terminal} = world;
  const session = await world.session();
  const cluster = await clusterFacts(session, text(invocation, 'operator-namespace'));
  const sets = await setsOf(invocation, session);
  const parts: {title: string; findings: Finding[]}[] = [
    {title: 'Cluster', findings: clusterFindings(cluster)},
    ...await Promise.all(sets.map(async (facts) => {
      const name = facts.set.metadata?.name ?? '';
      return {title: `StatefulSet ${name} in ${session.namespace}`, findings: [...setFindings(facts, cluster, world.now()), ...await dependentFindings(session, cluster.resources, name)]};
    })),
  ];
  const all = parts.flatMap(({findings}) => findings);
  if (text(invocation, 'output') === 'json') {
    terminal.out(JSON.stringify(parts, undefined, 2));
  } else {
    const view: View = {paint: terminal.paint, width: terminal.width, now: world.now()};
    for (const {title, findings} of parts) terminal.out(`${renderFindings(title, readable(findings), view)}\n`);
    if (sets.length === 0) terminal.out(`No StatefulSet in namespace ${session.namespace} was understood as an etcd; name one: kubectl quorum-recovery doctor STATEFULSET\n`);
    terminal.out(renderVerdict(all, view));
  }
  return all.some(({level}) => level === 'problem') ? exit.notReady : exit.ok;
}
