import {kinds} from '../kubernetes/kinds.ts';
import type {KindEntry} from '../kubernetes/kinds.ts';

export interface Rule {
  apiGroups: string[];
  resources: string[];
  verbs: string[];
}

const groupOf = ({apiVersion}: KindEntry) => (apiVersion.includes('/') ? (apiVersion.split('/')[0] ?? '') : '');

/** Rights that no call uses by itself: the API server asks for them on owner references that block deletion. */
const extra: Rule[] = [{apiGroups: ['apps'], resources: ['statefulsets/finalizers'], verbs: ['update']}];

/** Leases are asked for in the operator's own namespace only: they stand in a Role there. */
const leaseKind = 'Lease';

const ruleOf = (entry: KindEntry): Rule => ({apiGroups: [groupOf(entry)], resources: [entry.plural], verbs: [...entry.verbs]});

/** Rules of the ClusterRole: exactly the verbs that the client's table of kinds admits. */
export function clusterRules(): Rule[] {
  const entries = Object.entries(kinds).filter(([name]) => name !== leaseKind).map(([, entry]) => entry as KindEntry);
  return [...entries.map(ruleOf), ...extra];
}

/** Rules of the Role in the operator's namespace. */
export const leaseRules = (): Rule[] => [ruleOf(kinds[leaseKind])];
