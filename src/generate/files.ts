import {stringify} from 'yaml';
import {customResourceDefinition} from '../api/crd.ts';

const header = '# Generated from src/api by `npm run generate`. Do not edit.\n';

/** Every generated file of the repository, by path from its root. `npm run generate` writes them, CI checks that they are fresh. */
export function generatedFiles(): Map<string, string> {
  const crd = header + stringify(customResourceDefinition(), {lineWidth: 0, aliasDuplicateObjects: false});
  return new Map([['crds/quorumrecoveries.yaml', crd]]);
}
