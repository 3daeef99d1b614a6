import {mkdtempSync} from 'node:fs';
import {availableParallelism, tmpdir} from 'node:os';
import {join} from 'node:path';
import {Lab, endLab} from '../lab/lab.ts';
import {operatorImage} from '../lab/operator-image.ts';
import {installInLab, installOperator, operatorNamespace, operatorNodes} from './install.ts';
import {ownNamespaces} from './own-operator.ts';
import {listCases, namespaceAgain, runCases} from './run-cases.ts';
import type {Case, CaseResult, PoolOptions} from './run-cases.ts';

/*
 * `make e2e`: the cases of test/e2e/cases in a lab of their own, or in the cluster that KUBECONFIG names.
 *   CASES=pattern   only the cases whose name (healthy-1) has this regular expression in it
 *   EXTENDED=1      also those that `make test-all` has beyond `make test`
 *   WIDTH=3         how many cases of weight one run at the same time; default: three for two processors, at most 8, and up to twice as many while those are idle
 *   KEEP=1          leave the lab, and what a failed case made, as they are
 *   OPERATOR_IMAGE  with KUBECONFIG: an image that the cluster can pull (default: the chart's)
 *   ETCD_IMAGE      with KUBECONFIG: etcd 3.6 with its version as tag, which the cluster can pull
 */
const begin = Date.now();
const say = (line: string): void => { console.log(`[${((Date.now() - begin) / 1000).toFixed(0).padStart(4)} s] ${line}`); };
const text = (name: string): string | undefined => (process.env[name] === '' ? undefined : process.env[name]);

interface Cluster {
  environment: Record<string, string>;
  end: () => Promise<void>;
}

async function ownLab(cases: readonly Case[]): Promise<Cluster> {
  const image = await operatorImage(say);
  const name = `e2e-${process.pid}`;
  const end = async (): Promise<void> => {
    if (process.env['KEEP'] === '1') say(`the lab ${name} is left as it is; end it with: make lab-down LAB=${name}`);
    else await endLab(name);
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => { void end().finally(() => process.exit(130)); });
  try {
    const lab = await Lab.up({name, nodes: 0, images: [image], say});
    // The operators run on these two; each case adds the nodes that it breaks.
    await Promise.all(['n1', 'n2'].map((node) => lab.addNode(node, {labels: operatorNodes})));
    await installInLab(lab, {nodeSelector: operatorNodes, excludeNamespaces: leftOut(cases)});
    say('the operator is installed by its chart, with two replicas');
    return {environment: {E2E_LAB: name, E2E_OPERATOR_NAMESPACE: operatorNamespace}, end};
  } catch (error) {
    await end();
    throw error;
  }
}

/** Namespaces of the cases that have an operator of their own, or none, which the common one must not serve. */
function leftOut(cases: readonly Case[]): string[] {
  return cases.filter((one) => one.ownOperator || one.unserved).flatMap((one) => [one.namespace, namespaceAgain(one)].flatMap(ownNamespaces));
}

async function givenCluster(kubeconfig: string): Promise<Cluster> {
  say(`using the cluster of ${kubeconfig}; cases that end nodes or processes are skipped`);
  await installOperator({kubeconfig, helm: 'helm', image: text('OPERATOR_IMAGE')});
  return {environment: {KUBECONFIG: kubeconfig, E2E_OPERATOR_NAMESPACE: operatorNamespace}, end: () => Promise.resolve()};
}

const states = {passed: 'ok', failed: 'FAILED', skipped: 'skipped'} as const;
const cause = ({error = ''}: CaseResult): string => error.split('\n').slice(0, 12).map((line) => `        ${line}`).join('\n');

function table(results: readonly CaseResult[]): void {
  console.log('\nCases:');
  for (const {ran, state, seconds, title} of [...results].sort((a, b) => (a.ran.name < b.ran.name ? -1 : 1))) {
    console.log(`  ${states[state].padEnd(7)} ${seconds.toFixed(0).padStart(4)} s  ${ran.name}: ${title}`);
  }
}

/**
 * On a crowded machine a wait can run out. A few failed cases are run once more, alone; what passes then is said to be so, and what fails
 * again has failed.
 */
async function onceMore(results: readonly CaseResult[], options: PoolOptions): Promise<readonly CaseResult[]> {
  const failed = new Set(results.filter((result) => result.state === 'failed').map((result) => result.ran));
  if (failed.size === 0 || failed.size > 5) return results;
  say(`running once more, alone: ${[...failed].map((one) => one.name).join(', ')}`);
  const again = await runCases([...failed], {...options, width: 1, more: 0, output: join(options.output, 'again'), namespaceOf: namespaceAgain});
  for (const {ran, title} of again.filter((result) => result.state === 'passed')) say(`passed only the second time: ${ran.name}: ${title}`);
  return [...results.filter((result) => !failed.has(result.ran)), ...again];
}

async function main(): Promise<number> {
  const pattern = text('CASES');
  const cases = await listCases(pattern, pattern !== undefined || text('EXTENDED') === '1');
  const kubeconfig = text('KUBECONFIG');
  const cluster = kubeconfig === undefined ? await ownLab(cases) : await givenCluster(kubeconfig);
  const output = text('E2E_OUTPUT') ?? mkdtempSync(join(tmpdir(), 'quorum-recovery-e2e-'));
  const width = Math.min(Math.ceil(1.5 * availableParallelism()), 8);
  try {
    const options: PoolOptions = {
      width: Number(text('WIDTH') ?? width), more: text('WIDTH') === undefined ? width : 0, output, environment: cluster.environment,
      onEnd: (ended, seconds) => {
        for (const result of ended) {
          say(`${states[result.state]} (${seconds.toFixed(0)} s): ${result.ran.name}: ${result.title}`);
          if (result.state === 'failed') console.log(cause(result));
        }
      },
    };
    const results = await onceMore(await runCases(cases, options), options);
    table(results);
    const count = (state: CaseResult['state']): number => results.filter((result) => result.state === state).length;
    // Once more at the end, where the last lines are all that somebody sees.
    for (const result of results.filter(({state}) => state === 'failed')) console.log(`\nFAILED ${result.ran.name}: ${result.title}\n${cause(result)}`);
    if (count('failed') > 0) console.log(`\nWhat is known of each failure: ${output}`);
    console.log(`\n${count('passed')} passed, ${count('failed')} failed${count('skipped') > 0 ? `, ${count('skipped')} skipped` : ''}`);
    return count('failed') === 0 ? 0 : 1;
  } finally {
    await cluster.end();
  }
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  console.log('0 passed, 1 failed');
  process.exitCode = 1;
}
