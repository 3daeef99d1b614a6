import assert from 'node:assert/strict';
import {clusterRules, leaseRules} from '../../../src/generate/rbac.ts';
import {extraRights, kinds} from '../../../src/kubernetes/kinds.ts';
import type {KindEntry} from '../../../src/kubernetes/kinds.ts';
import {installed, only} from './repository.ts';
import type {PolicyRule} from './repository.ts';

/** Every single right, as `group/resource verb` or `group/resource[object] verb`. */
const expand = (rules: readonly PolicyRule[]): string[] => rules.flatMap((rule) => rule.apiGroups.flatMap((group) => rule.resources.flatMap((resource) =>
  (rule.resourceNames ?? ['']).flatMap((name) => rule.verbs.map((verb) => `${group}/${resource}${name === '' ? '' : `[${name}]`} ${verb}`))))).sort();

const withoutNames = (rights: readonly string[]) => rights.map((right) => right.replace(/\[.*\]/, ''));

const groupOf = (entry: KindEntry) => (entry.apiVersion.includes('/') ? entry.apiVersion.replace(/\/.*/, '') : '');

/** What the client may call, from its own table. */
const needed = (leases: boolean): string[] => Object.entries(kinds as Record<string, KindEntry>).filter(([name]) => (name === 'Lease') === leases)
  .flatMap(([, entry]) => entry.verbs.map((verb) => `${groupOf(entry)}/${entry.plural} ${verb}`));

describe('rights of the operator', () => {
  const all = installed();
  const clusterRole = only(all, 'ClusterRole', 'quorum-recovery-operator').rules ?? [];
  const leaseRole = only(all, 'Role').rules ?? [];

  it('are in the installed ClusterRole exactly those of the table of kinds, what owner references need, and to read a Lease', () => {
    const extra = extraRights.flatMap(({apiGroup, resource, verbs}) => verbs.map((verb) => `${apiGroup}/${resource} ${verb}`));
    assert.deepEqual(withoutNames(expand(clusterRole)), [...needed(false), ...extra].sort());
  });

  it('are in the installed Role exactly those on its own Lease', () => {
    assert.deepEqual(withoutNames(expand(leaseRole)), needed(true).sort());
    assert.deepEqual(expand(leaseRole), expand(leaseRules('quorum-recovery-operator')));
    assert.ok(expand(leaseRole).every((right) => right.endsWith(' create') || right.includes('[quorum-recovery-operator]')), 'no other Lease is within reach');
  });

  it('have no wildcard and no way to more rights', () => {
    for (const rule of [...clusterRole, ...leaseRole]) {
      assert.ok(![...rule.apiGroups, ...rule.resources, ...rule.verbs].includes('*'), JSON.stringify(rule));
      assert.ok(rule.verbs.every((verb) => !['bind', 'escalate', 'impersonate'].includes(verb)), JSON.stringify(rule));
    }
  });

  it('never reach a list of Secrets, nor a change of a StatefulSet', () => {
    const rights = expand(clusterRules());
    assert.deepEqual(rights.filter((right) => right.startsWith('/secrets ')), ['/secrets get']);
    assert.deepEqual(rights.filter((right) => /^apps\/statefulsets (?!get|list|watch)/.test(right)), []);
  });
});

describe('rights of users', () => {
  it('come with the cluster\'s own roles, and never reach the status that holds pods', () => {
    const all = installed();
    const view = only(all, 'ClusterRole', 'quorum-recovery-operator-view');
    const edit = only(all, 'ClusterRole', 'quorum-recovery-operator-edit');
    assert.equal(view.metadata.labels?.['rbac.authorization.k8s.io/aggregate-to-view'], 'true');
    assert.equal(edit.metadata.labels?.['rbac.authorization.k8s.io/aggregate-to-edit'], 'true');
    const rights = [...expand(view.rules ?? []), ...expand(edit.rules ?? [])];
    assert.ok(rights.every((right) => right.startsWith('quorumrecovery.io/quorumrecoveries ')), rights.join());
    assert.ok(expand(view.rules ?? []).every((right) => / (get|list|watch)$/.test(right)));
  });
});
