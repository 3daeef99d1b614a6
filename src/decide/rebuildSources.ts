import type {Plan} from '../api/types.ts';
import type {SourceView} from '../observe/sources.ts';
import type {Observation} from '../observe/observation.ts';
import type {Decision} from './decision.ts';
import {blocked, wait} from './decision.ts';

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
export function sourceRefusal({spec, sources}: Pick<Observation, 'spec' | 'sources'>, where: string): Decision | undefined {
  if (spec.rebuild === undefined) return undefined;
  // The run began with this very look, before which nobody asked for them.
  if (sources === undefined) return wait('looking at what spec.rebuild names', 10);
  const wrong = [
    ...sources.flatMap(({name, from, problem}) => (problem === undefined ? [] : [`${name} (${from}): ${problem}`])),
    ...overlaps(sources),
  ];
  if (wrong.length === 0) return undefined;
  const more = wrong.length > mostNamed ? `; and ${wrong.length - mostNamed} more` : '';
  return blocked('SourceUnusable', `${wrong.slice(0, mostNamed).join('; ')}${more}. Correct it (spec.rebuild), and the run goes on by itself. ${where}`);
}

/** What is loaded, as a person approves it. */
export const plannedSources = ({sources = []}: Pick<Observation, 'sources'>): NonNullable<Plan['rebuild']> =>
  sources.filter(({isCheck}) => isCheck !== true).map(({name, from, keys}) => ({name, from, ...(keys !== undefined && {keys: keys.length})}));
