import assert from 'node:assert/strict';
import {readdirSync} from 'node:fs';
import {join} from 'node:path';
import {parse} from 'yaml';
import {brokenRules} from '../../../src/api/rules.ts';
import {specSchema} from '../../../src/api/spec.ts';
import {apiVersion, kind} from '../../../src/api/types.ts';
import {manifests, read, root} from './repository.ts';
import type {Manifest} from './repository.ts';

/** Fields of a value that its parsed form does not have: the API server would refuse or drop them. */
function dropped(given: unknown, parsed: unknown, path: string): string[] {
  if (given === null || typeof given !== 'object') return [];
  return Object.entries(given).flatMap(([key, value]: [string, unknown]) => {
    const known = (parsed ?? {}) as Record<string, unknown>;
    return key in known ? dropped(value, known[key], `${path}.${key}`) : [`${path}.${key}`];
  });
}

function assertGood(manifest: Manifest): void {
  assert.deepEqual([manifest.apiVersion, manifest.kind], [apiVersion, kind]);
  const spec = specSchema.parse(manifest.spec);
  assert.deepEqual(brokenRules(spec), []);
  assert.deepEqual(dropped(manifest.spec, spec, 'spec'), []);
}

describe('examples', () => {
  const names = readdirSync(join(root, 'deploy/examples')).sort();

  it('are there for the minimum, for TLS, and for a person\'s word on survivor and lost members', () => {
    assert.deepEqual(names, ['quorum-recovery.yaml', 'survivor-and-lost-members.yaml', 'tls.yaml']);
  });

  for (const name of names) {
    it(`${name} is a good QuorumRecovery`, () => {
      for (const manifest of manifests(read(`deploy/examples/${name}`))) assertGood(manifest);
    });
  }

  it('of the chart\'s annotations are good QuorumRecoveries too', () => {
    const {annotations} = parse(read('charts/quorum-recovery-operator/Chart.yaml')) as {annotations: Record<string, string>};
    for (const manifest of parse(annotations['artifacthub.io/crdsExamples'] ?? '') as Manifest[]) assertGood(manifest);
  });

  it('of NOTES.txt is a good QuorumRecovery too', () => {
    const text = /<<END\n(.*?)\n {2}END/s.exec(read('charts/quorum-recovery-operator/templates/NOTES.txt'))?.[1] ?? '';
    for (const manifest of manifests(text.replaceAll(/\{\{.*\}\}/g, 'default').replaceAll(/^ {2}/gm, ''))) assertGood(manifest);
  });
});
