import type {Plan, QuorumRecoverySpec, Run} from '../../api/types.ts';
import type {SourceView} from '../../observe/sources.ts';
import type {Observation} from '../../observe/observation.ts';
import type {Decision} from '../decision.ts';
import {blocked, wait} from '../decision.ts';
import {sha256} from './plan.ts';

/** Some of what is loaded stands on a claim. */
export const namesDump = ({rebuild}: Pick<QuorumRecoverySpec, 'rebuild'>): boolean => rebuild?.sources.some(({claim}) => claim !== undefined) === true;

/** What the dumps are read for: the others count, because of the keys that two write. */
export const askedOfDumps = ({spec, sources = []}: Pick<Observation, 'spec' | 'sources'>): string =>
  sha256({sources: spec.rebuild?.sources, others: sources.filter(({isDump, isCheck}) => isDump !== true && isCheck !== true).map(({name, hash, problem}) => ({name, hash, problem}))});

/** What was found in the dumps, if that is an answer to what is asked now. */
function dumpsOf(observation: Observed): NonNullable<Run['dumps']> | undefined {
  const {dumps} = observation.status.run ?? {};
  return dumps?.asked === askedOfDumps(observation) ? dumps : undefined;
}

/** The dumps have to be read, or read anew, before anything can be said of them. */
export const dumpsUnread = (observation: Observed): boolean => namesDump(observation.spec) && observation.sources !== undefined && dumpsOf(observation) === undefined;

type Observed = Pick<Observation, 'spec' | 'sources' | 'status'>;

/** The sources with what was found in the dumps among them. */
export function sourcesOf(observation: Observed): SourceView[] {
  const dumps = dumpsOf(observation);
  return (observation.sources ?? []).map((view): SourceView => {
    if (view.isDump !== true || dumps === undefined) return view;
    const found = dumps.sources.find(({name}) => name === view.name);
    const problem = dumps.problem ?? found?.problem;
    return {...view, ...(found?.keys !== undefined && {count: found.keys}), ...(found?.hash !== undefined && {hash: found.hash}), ...(problem !== undefined && {problem})};
  });
}

/** Keys that two sources both write: which value they had in the end would be a matter of order. */
function overlaps(views: readonly SourceView[]): string[] {
  const owners = new Map<string, string>();
  const found: string[] = [];
  for (const {name, keys = []} of views) {
    for (const key of keys) {
      const owner = owners.get(key);
      if (owner !== undefined) found.push(`${owner} and ${name} both write key ${key}`);
      else owners.set(key, name);
    }
  }
  return found;
}

const mostNamed = 5;

/** Why nothing may be rebuilt from these sources; undefined: each is there, reads well, and no two write one key. `where`: what is held meanwhile. */
export function sourceRefusal(observation: Observed, where: string): Decision | undefined {
  const {spec, sources} = observation;
  if (spec.rebuild === undefined) return undefined;
  // The run began with this very look, before which nobody asked for them.
  if (sources === undefined) return wait('looking at what spec.rebuild names', 10);
  const wrong = [
    ...sourcesOf(observation).flatMap(({name, from, problem}) => (problem === undefined ? [] : [`${name} (${from}): ${problem}`])),
    ...new Set([...overlaps(sources), ...dumpsOf(observation)?.overlaps ?? []]),
  ];
  if (wrong.length === 0) return undefined;
  const more = wrong.length > mostNamed ? `; and ${wrong.length - mostNamed} more` : '';
  return blocked('SourceUnusable', `${wrong.slice(0, mostNamed).join('; ')}${more}. Correct it (spec.rebuild), and the run goes on by itself. ${where}`);
}

/** What is loaded, as a person approves it. */
export const plannedSources = (observation: Observed): NonNullable<Plan['rebuild']> => sourcesOf(observation).filter(({isCheck}) => isCheck !== true).map(({name, from, keys, count}) => {
  const written = keys?.length ?? count;
  return {name, from, ...(written !== undefined && {keys: written})};
});
