import type {Scenario} from '../e2e/scenario.ts';
import type {Growth} from './operator-watch.ts';

/** One fault and what came of it. Seconds are counted from the begin of the step, those of the loss from the end of the quorum. */
export interface Step {
  number: number;
  fault: string;
  forGood: boolean;
  cluster: string;
  words: string;
  /** Until every cluster was checked. */
  seconds: number;
  suspectedSeconds?: number;
  writableSeconds?: number;
}

const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;

function range(values: readonly (number | undefined)[]): string {
  const known = values.filter((value) => value !== undefined).sort((a, b) => a - b);
  const [low, high] = [known[0], known.at(-1)];
  if (low === undefined || high === undefined) return '';
  return low === high ? String(low) : `${low} to ${high}`;
}

/** How often each fault came, and how long it took. */
export function faultTable(steps: readonly Step[]): string {
  const names = [...new Set(steps.map(({fault}) => fault))].sort();
  return [
    line(['fault', 'times', 'suspected after, s', 'writable after, s', 'all well and checked after, s']), line(['---', '---:', '---:', '---:', '---:']),
    ...names.map((name) => {
      const of = steps.filter(({fault}) => fault === name);
      return line([name, String(of.length), range(of.map(({suspectedSeconds}) => suspectedSeconds)), range(of.map(({writableSeconds}) => writableSeconds)), range(of.map(({seconds}) => seconds))]);
    }),
  ].join('\n');
}

export function growthTable(grown: readonly Growth[]): string {
  return [line(['held by the operator', 'early', 'late', 'at most']), line(['---', '---:', '---:', '---:']), ...grown.map(({what, early, late, most}) => line([what, String(early), String(late), String(most)]))].join('\n');
}

/** Lines of the operators' logs that say error or fatal, of what their pods still have. */
export async function errorsOf({kube, environment}: Scenario): Promise<string[]> {
  const namespace = environment.operatorNamespace ?? '';
  const logs = await Promise.all((await kube.list('pods', namespace)).map(async ({metadata, spec}) => await kube.log(namespace, metadata?.name ?? '', spec?.containers[0]?.name ?? '', {tailLines: 200_000}).catch(() => '')));
  return logs.flatMap((log) => log.split('\n')).filter((text) => /"level":("error"|"fatal"|50|60)/.test(text)).sort();
}
