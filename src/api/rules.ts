import type {QuorumRecoverySpec} from './spec.ts';

/** A rule that spans fields: CEL for the API server, and the same in TypeScript for resources that came in before the rule. */
export interface Rule {
  where: 'spec' | 'target' | 'launch';
  cel: string;
  message: string;
  fieldPath?: string;
  /** undefined: only the API server can tell (it needs the old object). */
  holds?: (spec: QuorumRecoverySpec) => boolean;
}

const ofSet = (spec: QuorumRecoverySpec, pod: string) => {
  const prefix = `${spec.target.statefulSet}-`;
  return pod.startsWith(prefix) && /^[0-9]+$/.test(pod.slice(prefix.length));
};

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
