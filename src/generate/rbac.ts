import {group, plural} from '../api/types.ts';
import {extraRights, kinds} from '../kubernetes/kinds.ts';
import type {Kind, KindEntry} from '../kubernetes/kinds.ts';

/** A PolicyRule of RBAC. */
export interface Rule {
  apiGroups: string[];
  resources: string[];
  resourceNames?: string[];
  verbs: string[];
}

const groupOf = ({apiVersion}: KindEntry) => (apiVersion.includes('/') ? (apiVersion.split('/')[0] ?? '') : '');

/** Its own Lease is written in the operator's own namespace only: that stands in a Role there. */
const leaseKind = 'Lease';

function ruleOf(name: Kind): Rule {
  const entry: KindEntry = kinds[name];
  return {apiGroups: [groupOf(entry)], resources: [entry.plural], verbs: [...entry.verbs]};
}

/** Rules of the ClusterRole: exactly the verbs that the client's table of kinds admits. */
export function clusterRules(): Rule[] {
  const names = (Object.keys(kinds) as Kind[]).filter((name) => name !== leaseKind);
  const extra = extraRights.map(({apiGroup, resource, verbs}): Rule => ({apiGroups: [apiGroup], resources: [resource], verbs: [...verbs]}));
  return [...names.map(ruleOf), ...extra];
}

/**
 * Rules of the Role in the operator's namespace, for one Lease. RBAC cannot name the object of a create,
 * so only the other verbs are bound to it: in kube-system nobody else's Lease must be within reach of a change.
 */
export function leaseRules(leaseName: string): Rule[] {
  const {verbs, ...rule} = ruleOf(leaseKind);
  return [{...rule, verbs: verbs.filter((verb) => verb === 'create')}, {...rule, resourceNames: [leaseName], verbs: verbs.filter((verb) => verb !== 'create')}];
}

/** What a user of a namespace may do with its QuorumRecoveries. Not their status: it holds pods and is the operator's alone. */
export const userRules: Record<'view' | 'edit', Rule[]> = {
  view: [{apiGroups: [group], resources: [plural], verbs: ['get', 'list', 'watch']}],
  edit: [{apiGroups: [group], resources: [plural], verbs: ['create', 'update', 'patch', 'delete', 'deletecollection']}],
};
