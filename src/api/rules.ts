import type {QuorumRecoverySpec} from './spec.ts';

/** A rule that spans fields: CEL for the API server, and the same in TypeScript for resources that came in before the rule. */
export interface Rule {
  where: 'spec' | 'target' | 'launch' | 'snapshot';
  cel: string;
  message: string;
  fieldPath?: string;
  /** undefined: only the API server can tell (it needs the old object). */
  holds?: (spec: QuorumRecoverySpec) => boolean;
}

/** `spec.preferredLeader`: no pod's name, as those are in lower case. */
export const previousLeader = 'Previous';

const ofSet = (spec: QuorumRecoverySpec, pod: string) => {
  const prefix = `${spec.target.statefulSet}-`;
  return pod.startsWith(prefix) && /^[0-9]+$/.test(pod.slice(prefix.length));
};

const noSurvivorWith = (strategy: 'ReplaceMembers' | 'Restart', because: string): Rule => ({
  where: 'spec', fieldPath: '.survivor',
  cel: `!has(self.survivor) || !has(self.strategy) || self.strategy != "${strategy}"`,
  message: `survivor has no meaning with strategy ${strategy}: ${because}`,
  holds: (spec) => spec.survivor === undefined || spec.strategy !== strategy,
});

/** The table that the CRD and the tests share. */
export const rules: readonly Rule[] = [
  {
    where: 'target', cel: 'self.statefulSet == oldSelf.statefulSet', fieldPath: '.statefulSet',
    message: 'target.statefulSet cannot be changed: make another QuorumRecovery for another StatefulSet',
  },
  {
    where: 'launch', cel: 'has(self.command) || has(self.args)',
    message: 'target.launch needs command or args',
    holds: ({target: {launch}}) => launch === undefined || launch.command !== undefined || launch.args !== undefined,
  },
  {
    where: 'spec', fieldPath: '.approvedPlan',
    cel: '!has(self.approvedPlan) || self.approval == "Required"',
    message: 'approvedPlan has a meaning only with approval: Required',
    holds: (spec) => spec.approvedPlan === undefined || spec.approval === 'Required',
  },
  {
    where: 'spec', fieldPath: '.preserve.volumeSnapshotClassName',
    cel: '!has(self.preserve) || !has(self.preserve.volumeSnapshotClassName) || self.preserve.mode == "VolumeSnapshot"',
    message: 'preserve.volumeSnapshotClassName has a meaning only with preserve.mode: VolumeSnapshot',
    holds: ({preserve}) => preserve.volumeSnapshotClassName === undefined || preserve.mode === 'VolumeSnapshot',
  },
  {
    where: 'spec', fieldPath: '.survivor',
    cel: '!has(self.survivor) || (self.survivor.pod.startsWith(self.target.statefulSet + "-") && self.survivor.pod.substring(size(self.target.statefulSet) + 1).matches("^[0-9]+$"))',
    message: 'survivor.pod must be a pod of target.statefulSet, e.g. etcd-0',
    holds: (spec) => spec.survivor === undefined || ofSet(spec, spec.survivor.pod),
  },
  {
    where: 'spec', fieldPath: '.preferredLeader',
    cel: '!has(self.preferredLeader) || self.preferredLeader == "Previous" || (self.preferredLeader.startsWith(self.target.statefulSet + "-") && self.preferredLeader.substring(size(self.target.statefulSet) + 1).matches("^[0-9]+$"))',
    message: 'preferredLeader must be a pod of target.statefulSet, e.g. etcd-0, or Previous',
    holds: (spec) => spec.preferredLeader === undefined || spec.preferredLeader === previousLeader || ofSet(spec, spec.preferredLeader),
  },
  {
    where: 'spec', fieldPath: '.lostMembers',
    cel: '!has(self.lostMembers) || self.lostMembers.all(m, m.pod.startsWith(self.target.statefulSet + "-") && m.pod.substring(size(self.target.statefulSet) + 1).matches("^[0-9]+$"))',
    message: 'every lostMembers[].pod must be a pod of target.statefulSet, e.g. etcd-1',
    holds: (spec) => (spec.lostMembers ?? []).every((m) => ofSet(spec, m.pod)),
  },
  {
    where: 'spec', fieldPath: '.lostMembers',
    cel: '!has(self.survivor) || !has(self.lostMembers) || !self.lostMembers.exists(m, m.pod == self.survivor.pod)',
    message: 'survivor.pod cannot be one of lostMembers',
    holds: (spec) => !(spec.lostMembers ?? []).some((m) => m.pod === spec.survivor?.pod),
  },
  {
    where: 'spec', fieldPath: '.lostMembers',
    cel: '!has(self.lostMembers) || !has(self.trigger) || self.trigger.type != "OnQuorumLoss" || self.approval == "Required"',
    message: 'lostMembers is a word for one run: with trigger.type OnQuorumLoss it needs approval: Required',
    holds: (spec) => spec.lostMembers === undefined || spec.trigger.type !== 'OnQuorumLoss' || spec.approval === 'Required',
  },
  {
    where: 'spec', fieldPath: '.strategy',
    cel: '!has(self.strategy) || self.strategy != "ReplaceMembers" || !has(self.trigger) || self.trigger.type != "OnQuorumLoss"',
    message: 'strategy: ReplaceMembers works while a quorum serves, and trigger.type OnQuorumLoss begins once it does not: use strategy Auto there, which replaces what lostMembers names',
    holds: (spec) => spec.strategy !== 'ReplaceMembers' || spec.trigger.type !== 'OnQuorumLoss',
  },
  {
    where: 'spec', fieldPath: '.trigger.autoReplace',
    cel: '!has(self.trigger) || !has(self.trigger.autoReplace) || (has(self.trigger.type) && self.trigger.type == "OnQuorumLoss" && (!has(self.strategy) || self.strategy == "Auto"))',
    message: 'trigger.autoReplace needs trigger.type: OnQuorumLoss, which watches the cluster, and strategy: Auto',
    holds: ({trigger, strategy}) => trigger.autoReplace === undefined || (trigger.type === 'OnQuorumLoss' && strategy === 'Auto'),
  },
  noSurvivorWith('ReplaceMembers', 'every member that serves stays'),
  {
    where: 'spec', fieldPath: '.dependents',
    cel: '!has(self.dependents) || !self.dependents.exists(d, d.kind == "StatefulSet" && d.name == self.target.statefulSet)',
    message: 'dependents cannot name target.statefulSet: the run stops its pods itself, and never changes it',
    holds: (spec) => !(spec.dependents ?? []).some(({kind, name}) => kind === 'StatefulSet' && name === spec.target.statefulSet),
  },
  noSurvivorWith('Restart', 'every member goes on from its own data'),
  {
    where: 'spec', fieldPath: '.configuration',
    cel: '!has(self.configuration) || self.configuration.checks.all(c, has(c.configMap) != has(c.secret))',
    message: 'every configuration.checks[] needs either configMap or secret',
    holds: ({configuration}) => (configuration?.checks ?? []).every((c) => (c.configMap === undefined) !== (c.secret === undefined)),
  },
  {
    where: 'spec', fieldPath: '.configuration',
    cel: '!has(self.configuration) || self.configuration.checks.all(c, !has(c.schema) || (has(c.format) && c.format in ["JSON", "YAML"]))',
    message: 'configuration.checks[].schema has a meaning only with format JSON or YAML',
    holds: ({configuration}) => (configuration?.checks ?? []).every((c) => c.schema === undefined || c.format === 'JSON' || c.format === 'YAML'),
  },
  {
    where: 'spec', fieldPath: '.configuration',
    cel: '!has(self.configuration) || self.configuration.checks.all(c, !has(c.members) || ((!has(c.format) || c.format != "XML") && has(c.members.at) == (has(c.format) && c.format != "Text")))',
    message: 'configuration.checks[].members needs at with format JSON, YAML and Properties, no at with Text, and cannot be had with XML',
    holds: ({configuration}) => (configuration?.checks ?? []).every((c) => c.members === undefined || (c.format !== 'XML' && (c.members.at !== undefined) === (c.format !== 'Text'))),
  },
  {
    where: 'snapshot', cel: 'has(self.s3) != has(self.claim)',
    message: 'snapshot needs exactly one of s3 and claim',
    holds: ({snapshot}) => snapshot === undefined || (snapshot.s3 === undefined) !== (snapshot.claim === undefined),
  },
  {
    where: 'spec', fieldPath: '.backups', cel: '!has(self.backups) || has(self.snapshot)',
    message: 'backups needs snapshot: where they go',
    holds: (spec) => spec.backups === undefined || spec.snapshot !== undefined,
  },
  {
    where: 'spec', fieldPath: '.strategy', cel: '!has(self.strategy) || self.strategy != "RebuildFromConfig" || has(self.rebuild)',
    message: 'strategy: RebuildFromConfig needs rebuild: what the new cluster is loaded with',
    holds: (spec) => spec.strategy !== 'RebuildFromConfig' || spec.rebuild !== undefined,
  },
  {
    where: 'spec', fieldPath: '.survivor', cel: '!has(self.survivor) || !has(self.strategy) || self.strategy != "RebuildFromConfig"',
    message: 'survivor has no meaning with strategy RebuildFromConfig: no member\'s data goes on',
    holds: (spec) => spec.survivor === undefined || spec.strategy !== 'RebuildFromConfig',
  },
  {
    where: 'spec', fieldPath: '.survivor', cel: '!has(self.survivor) || !has(self.strategy) || self.strategy != "RestoreSnapshot"',
    message: 'survivor has no meaning with strategy RestoreSnapshot: no member\'s data goes on',
    holds: (spec) => spec.survivor === undefined || spec.strategy !== 'RestoreSnapshot',
  },
  {
    where: 'spec', fieldPath: '.rebuild',
    cel: '!has(self.rebuild) || self.rebuild.sources.all(s, (has(s.configMap) ? 1 : 0) + (has(s.secret) ? 1 : 0) + (has(s.claim) ? 1 : 0) + (has(s.cronJob) ? 1 : 0) == 1)',
    message: 'every rebuild.sources[] needs one of configMap, secret, claim and cronJob',
    holds: ({rebuild}) => (rebuild?.sources ?? []).every((s) => [s.configMap, s.secret, s.claim, s.cronJob].filter((one) => one !== undefined).length === 1),
  },
  {
    where: 'spec', fieldPath: '.rebuild',
    cel: '!has(self.rebuild) || self.rebuild.sources.all(s, (has(s.keyPrefix) ? 1 : 0) + (has(s.key) ? 1 : 0) + (has(s.dump) && s.dump ? 1 : 0) == (has(s.cronJob) ? 0 : 1))',
    message: 'every rebuild.sources[] of a ConfigMap or Secret needs one of keyPrefix, key and dump: true, and that of a cronJob none',
    holds: ({rebuild}) => (rebuild?.sources ?? []).every((s) => [s.keyPrefix !== undefined, s.key !== undefined, s.dump].filter(Boolean).length === (s.cronJob === undefined ? 1 : 0)),
  },
  {
    where: 'spec', fieldPath: '.rebuild',
    cel: '!has(self.rebuild) || self.rebuild.sources.all(s, has(s.claim) == has(s.path) && (!has(s.claim) || (has(s.dump) && s.dump && !has(s.field))))',
    message: 'rebuild.sources[] of a claim needs path and dump: true, and has no field; path goes with claim',
    holds: ({rebuild}) => (rebuild?.sources ?? []).every((s) => (s.claim === undefined) === (s.path === undefined) && (s.claim === undefined || (s.dump && s.field === undefined))),
  },
  {
    where: 'spec', fieldPath: '.rebuild',
    cel: '!has(self.rebuild) || self.rebuild.sources.all(s, (!has(s.key) || has(s.field)) && (!has(s.field) || has(s.key) || (has(s.dump) && s.dump)))',
    message: 'rebuild.sources[].field goes with key, which needs it, or with dump: true',
    holds: ({rebuild}) => (rebuild?.sources ?? []).every((s) => (s.key === undefined || s.field !== undefined) && (s.field === undefined || s.key !== undefined || s.dump)),
  },
  {
    where: 'spec', fieldPath: '.rebuild',
    cel: '!has(self.rebuild) || !has(self.rebuild.checks) || self.rebuild.checks.all(c, (has(c.sources) ? 1 : 0) + (has(c.keys) ? 1 : 0) + (has(c.cronJob) ? 1 : 0) == 1)',
    message: 'every rebuild.checks[] needs one of sources, keys and cronJob',
    holds: ({rebuild}) => (rebuild?.checks ?? []).every((c) => [c.sources, c.keys, c.cronJob].filter((one) => one !== undefined).length === 1),
  },
  {
    where: 'spec', fieldPath: '.rebuild',
    cel: '!has(self.rebuild) || !has(self.rebuild.checks) || self.rebuild.checks.all(c, !has(c.sources) || c.sources.all(n, self.rebuild.sources.exists(s, s.name == n && !has(s.cronJob))))',
    message: 'rebuild.checks[].sources names sources of a ConfigMap, a Secret or a claim',
    holds: ({rebuild}) => (rebuild?.checks ?? []).every((c) => (c.sources ?? []).every((n) => rebuild?.sources.some((s) => s.name === n && s.cronJob === undefined))),
  },
  {
    where: 'spec', fieldPath: '.rebuild',
    cel: '!has(self.rebuild) || !has(self.rebuild.checks) || self.rebuild.checks.all(c, (!has(c.format) || has(c.keys)) && (!has(c.schema) || (has(c.format) && c.format in ["JSON", "YAML"])))',
    message: 'rebuild.checks[].format goes with keys, and schema with format JSON or YAML',
    holds: ({rebuild}) => (rebuild?.checks ?? []).every((c) => (c.format === undefined || c.keys !== undefined) && (c.schema === undefined || c.format === 'JSON' || c.format === 'YAML')),
  },
];

/** The rules of one object in the form that its schema carries them. */
export function celRules(where: Rule['where']): {'x-kubernetes-validations': {rule: string; message: string; fieldPath?: string}[]} {
  return {
    'x-kubernetes-validations': rules.filter((rule) => rule.where === where).map((rule) =>
      ({rule: rule.cel, message: rule.message, ...(rule.fieldPath !== undefined && {fieldPath: rule.fieldPath})})),
  };
}

/** Messages of the rules that a spec breaks; empty when it is good. */
export function brokenRules(spec: QuorumRecoverySpec): string[] {
  return rules.filter((rule) => rule.holds !== undefined && !rule.holds(spec)).map((rule) => rule.message);
}
