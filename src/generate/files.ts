import {stringify} from 'yaml';
import {customResourceDefinition} from '../api/crd.ts';
import {dashboard} from './dashboard.ts';
import {holdBinding, holdPolicy} from './policy.ts';
import {clusterRules, leaseRules, userRules} from './rbac.ts';

/** The chart's directory, from the root of the repository. */
export const chart = 'charts/quorum-recovery-operator';

/** The plain manifests, rendered from the chart. */
export const installPath = 'deploy/install.yaml';

const header = '# Generated from src by `npm run generate`. Do not edit.\n';

/** The Lease's name inside the chart, which is the release's: evaluated by the chart's `tpl`. */
const leaseNameInChart = '{{ include "quorum-recovery-operator.fullname" . }}';

const yaml = (value: unknown) => header + stringify(value, {lineWidth: 0, aliasDuplicateObjects: false});

/** Every generated file that needs nothing but the sources, by path from the root of the repository. */
export function generatedFiles(): Map<string, string> {
  const crd = yaml(customResourceDefinition());
  return new Map([
    ['crds/quorumrecoveries.yaml', crd],
    [`${chart}/files/crd.yaml`, crd],
    [`${chart}/files/policy.yaml`, yaml(holdPolicy)],
    [`${chart}/files/policy-binding.yaml`, yaml(holdBinding)],
    [`${chart}/files/cluster-rules.yaml`, yaml(clusterRules())],
    [`${chart}/files/lease-rules.yaml`, yaml(leaseRules(leaseNameInChart))],
    [`${chart}/files/view-rules.yaml`, yaml(userRules.view)],
    [`${chart}/files/edit-rules.yaml`, yaml(userRules.edit)],
    [`${chart}/files/dashboard.json`, `${JSON.stringify(dashboard, undefined, 2)}\n`],
  ]);
}
