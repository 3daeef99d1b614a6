import {leader} from './operator.ts';
import {resourceName} from './recovery.ts';
import type {Scenario} from './scenario.ts';
import {Missing, until} from './wait.ts';

/** The port of /metrics in the chart. */
const port = 8080;

/** What the leader tells of this case's resource, e.g. `phase{phase="Watching"}`: names without their prefix, labels without the resource's own. */
export type ResourceSeries = ReadonlyMap<string, number>;

/** Scrapes the leader through the API server. */
export async function scraped(scenario: Scenario): Promise<string> {
  const {metadata: {namespace = '', name = ''} = {}} = await leader(scenario);
  return await scenario.kube.proxied(namespace, `${name}:${port}`, 'metrics');
}

/** What the leader tells of itself, by the whole name with its labels: the sum of all cases at its hands. */
export async function operatorSeries(scenario: Scenario, series: string): Promise<number> {
  const line = (await scraped(scenario)).split('\n').find((candidate) => candidate.startsWith(`quorumrecovery_${series} `));
  return Number(line?.split(' ')[1]);
}

export async function resourceSeries(scenario: Scenario): Promise<ResourceSeries> {
  const text = await scraped(scenario);
  const own = `namespace="${scenario.namespace}",name="${resourceName}"`;
  return new Map(text.split('\n').filter((line) => line.includes(own)).map((line): [string, number] => {
    const [, metric = '', labels = '', value = ''] = /^quorumrecovery_(\w+)\{(.*)\} (\S+)$/.exec(line) ?? [];
    const more = labels.replace(own, '').replace(/^,/, '');
    return [more === '' ? metric : `${metric}{${more}}`, Number(value)];
  }));
}

/** Waits until the leader shows these values of the resource; undefined: no such series. */
export async function untilShown(scenario: Scenario, expected: Record<string, number | undefined>, seconds = 10): Promise<ResourceSeries> {
  return await until('what /metrics is to say of the resource', async () => {
    const shown = await resourceSeries(scenario);
    const wrong = Object.entries(expected).filter(([name, value]) => shown.get(name) !== value);
    return wrong.length === 0 ? shown : new Missing(wrong.map(([name, value]) => `${name} is ${shown.get(name) ?? 'not there'}, not ${value ?? 'absent'}`).join('; '));
  }, {seconds, every: 100});
}
