import type {V1Deployment} from '@kubernetes/client-node';
import {checkVersion} from '../../operator/checks.ts';
import {holdBinding, holdPolicy, policyName} from '../../generate/policy.ts';
import type {QuorumRecovery} from '../../api/types.ts';
import {carriesOut, selectorsOf, serves} from '../operators.ts';
import type {ClusterFacts} from './facts.ts';
import {note, ok, problem, unknown} from './finding.ts';
import type {Finding} from './finding.ts';

const install = 'install or upgrade the chart (docs/usage/install.md); it brings the policy, its binding and the rights';

function kubernetes({version}: ClusterFacts): Finding {
  try {
    checkVersion(version);
    return ok('Kubernetes', version.gitVersion);
  } catch (error) {
    return problem('Kubernetes', error instanceof Error ? error.message : String(error), 'upgrade the cluster to 1.30 or later');
  }
}

const expressions = (validations: readonly {expression?: string}[] | undefined) => (validations ?? []).map(({expression}) => expression).join('\n');

function policy({policy: found}: ClusterFacts): Finding {
  if ('forbidden' in found) return unknown('Policy', `you may not ${found.forbidden}, so it cannot be told whether ${policyName} is installed`, 'ask an administrator; a run proves it before it touches a pod');
  if (found.told === undefined) return problem('Policy', `there is no ValidatingAdmissionPolicy ${policyName}: no hold would be enforced, and every run would be Blocked (HoldNotEnforced)`, install);
  if (expressions(found.told.spec?.validations) !== expressions(holdPolicy.spec.validations)) return note('Policy', `${policyName} is that of another version than this plugin`, 'upgrade the chart, or use the plugin of the operator\'s version');
  return ok('Policy', policyName);
}

function binding({binding: found}: ClusterFacts): Finding {
  if ('forbidden' in found) return unknown('Binding', `you may not ${found.forbidden}`, 'ask an administrator');
  if (found.told === undefined) return problem('Binding', `there is no ValidatingAdmissionPolicyBinding ${policyName}, so that the policy has no effect`, install);
  const {validationActions, matchResources, policyName: bound} = found.told.spec;
  if (bound !== holdBinding.spec.policyName || !validationActions.includes('Deny')) return problem('Binding', `${policyName} does not deny (${validationActions.join(', ')})`, 'set validationActions: [Deny], or install the chart again');
  if (matchResources !== undefined) return note('Binding', `${policyName} is bound to a part of the cluster only`, 'see that it matches the namespaces of your etcd clusters');
  return ok('Binding', `${policyName} denies`);
}

const listed = (deployments: readonly V1Deployment[]): string => deployments.map(({metadata}) => `${metadata?.namespace ?? ''}/${metadata?.name ?? ''}`).join(', ');

function operator({operators, namespace, namespaceLabels}: ClusterFacts): Finding {
  if ('forbidden' in operators) return unknown('Operator', 'you may not list deployments in all namespaces, so it cannot be told whether it runs', 'say where it is: --operator-namespace NAMESPACE');
  if (operators.told.length === 0) return problem('Operator', 'no operator is installed', install);
  const serving = operators.told.filter(({spec}) => serves(spec?.template.spec, {namespace, namespaceLabels}));
  if (serving.length === 0) return problem('Operator', `${listed(operators.told)} does not serve the namespace ${namespace}: nothing in it would be recovered`, 'add it to watchNamespaces, or take it out of excludeNamespaces, in the chart\'s values; or give it the labels of namespaceSelector');
  const ready = serving.filter(({status}) => (status?.readyReplicas ?? 0) > 0);
  const names = listed(serving);
  if (ready.length === 0) return problem('Operator', `no pod of ${names} is Ready`, 'kubectl -n NAMESPACE describe deployment, and the log of its pods');
  const replicas = Math.max(...ready.map(({status}) => status?.readyReplicas ?? 0));
  if (replicas < 2) return note('Operator', `${names} has one replica Ready: the node that burns may be its own`, 'set replicas: 2 in the chart\'s values');
  return ok('Operator', `${names}, ${replicas} replicas Ready`);
}

/** Whether any of the installed operators takes this very resource, by its labels, and whether more than one does. */
export function servedBy({operators, namespace, namespaceLabels}: ClusterFacts, resource: QuorumRecovery): Finding[] {
  if ('forbidden' in operators) return [];
  const {name = '', labels = {}} = resource.metadata;
  const here = operators.told.filter(({spec}) => serves(spec?.template.spec, {namespace, namespaceLabels}));
  const serving = here.filter(({spec}) => serves(spec?.template.spec, {namespace, namespaceLabels, resource}));
  const finishing = operators.told.find(({metadata, spec}) => carriesOut(metadata?.namespace ?? '', spec?.template.spec, resource));
  if (serving.length > 1) return [note('Served by', `${listed(serving)} all serve ${name}: a run is carried out by one of them, but each writes the status while none is in flight`, 'make their namespaces or selectors such that only one takes it')];
  if (serving.length === 1) return [ok('Served by', listed(serving))];
  // Where none serves the namespace that is said of the cluster already.
  if (here.length === 0) return [];
  const has = Object.entries(labels).map(([key, value]) => `${key}=${value}`).join(',') || 'none';
  const told = here.map(({metadata, spec}) => `${metadata?.namespace ?? ''}/${metadata?.name ?? ''} takes ${selectorsOf(spec?.template.spec)}`).join('; ');
  const until = finishing === undefined ? '' : ` once its run has ended, which ${listed([finishing])} still carries out`;
  return [problem('Served by', `no operator serves this resource${until}: ${name} has the labels ${has}, and ${told}`, `kubectl label quorumrecovery ${name} KEY=VALUE as one of them asks, or change resourceSelector in the chart's values`)];
}

function rights({rights: all, resources}: ClusterFacts): Finding[] {
  if (resources === undefined) return [problem('Resource', 'this cluster knows no QuorumRecovery', install)];
  const missing = all.filter(({may}) => !may).map(({verb}) => verb);
  if (missing.length === 0) return [ok('Your rights', 'to see, make and change QuorumRecoveries in this namespace')];
  return [note('Your rights', `you may not ${missing.join(', ')} quorumrecoveries in this namespace`, 'ask for the ClusterRole "edit" in it, so that you can start and approve a recovery at night')];
}

/** What is the same for every etcd of the cluster. */
export const clusterFindings = (facts: ClusterFacts): Finding[] => [kubernetes(facts), ...rights(facts), operator(facts), policy(facts), binding(facts)];
