/** Condition types. Reconciling and Stalled follow kstatus: they are present only while they are True. */
export const conditionTypes = [
  'Ready', 'Reconciling', 'Stalled', 'QuorumLost', 'Complete', 'Succeeded', 'Degraded', 'DataLossPossible', 'DataRegressed', 'Held', 'PreferredLeader', 'BackedUp',
] as const;
export type ConditionType = (typeof conditionTypes)[number];

/** Why the resource stands still: something in it, or around it, has to change. Nothing was touched. */
export const stalledReasons = [
  'InvalidSpec', 'StatefulSetNotFound', 'NotEtcd', 'LaunchNotUnderstood', 'MissingConfig', 'DuplicateResource',
  'SecretNotFound', 'CertificateRejected', 'DataNotOnClaim', 'AttemptsExhausted', 'DependentNotFound',
] as const;
export type StalledReason = (typeof stalledReasons)[number];

/** Why a run does not go on. Each has a way out, which its message names. */
export const blockedReasons = [
  'FencingUnproven', 'QuorumOfDataIntact', 'RolloutInProgress', 'ForeignMember', 'NoSurvivor', 'SurvivorNotEligible',
  'TwoLineages', 'ClusterUnknown', 'VersionNotForceable', 'HoldNotEnforced', 'PodRefused', 'AuthRequired',
  'CanaryMissing', 'ForceFailed', 'AgentFailed', 'NamesNotPublished', 'PlanChanged', 'VerificationFailed', 'TemplateForces',
  'AgentImageMissing', 'AlarmRaised', 'OperatorCutOff', 'CredentialsRejected', 'SurvivorNotServing', 'SnapshotUnavailable',
  'SnapshotFailed', 'RevisionOutOfReach', 'MemberMayReturn', 'QuorumAtRisk', 'DependentRefused', 'NoQuorumOfData',
  'NoSnapshot', 'RestoreFailed', 'NewClusterNotServing', 'ConfigurationInconsistent', 'SourceUnusable', 'LoadFailed', 'CheckFailed',
] as const;
export type BlockedReason = (typeof blockedReasons)[number];

/** Reasons of Ready, Complete and Succeeded. */
export type OutcomeReason = 'Recovered' | 'Degraded' | 'NotNeeded' | 'Failed' | 'Released' | 'Progressing' | 'AwaitingApproval' | 'Watching' | 'QuorumSuspected' | 'AwaitingTurn' | 'DataRegressed' | 'Paused' | 'Blocked' | 'Stalled';

/** Phases in the order of a run; derived from the steps, for people: no code branches on it. */
export const phases = [
  'Watching', 'Suspected', 'Planning', 'AwaitingApproval', 'Restarting', 'Holding', 'Preserving', 'ForcingNewCluster', 'Restoring', 'Loading', 'Decommissioning', 'Rejoining', 'Verifying', 'Complete',
  'Blocked', 'Stalled', 'Failed',
] as const;
export type Phase = (typeof phases)[number];
