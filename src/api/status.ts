import {z} from 'zod';

const text = z.string();
const time = z.iso.datetime({offset: true});
const count = z.int().min(0);

export const conditionSchema = z.object({
  type: z.string().min(1).max(316),
  status: z.enum(['True', 'False', 'Unknown']),
  observedGeneration: count.optional(),
  lastTransitionTime: time,
  reason: z.string().min(1).max(1024),
  message: z.string().max(32768),
});

/** A member as its own data names it (etcd's Member message, and what etcd keeps of it in its backend). */
export const namedMemberSchema = z.object({id: text, name: text.optional(), peerURLs: z.array(text), isLearner: z.boolean().optional()});

const fencedSchema = z.object({
  by: z.enum(['KubeletConfirmed', 'NodeDeleted', 'OutOfServiceTaint', 'NeverStarted', 'LostMembers'])
    .describe('What proved that the last process known to run this member has ended.'),
  podUID: text.optional(),
  at: time,
  message: text.optional(),
});

export const memberSchema = z.object({
  pod: text,
  podUID: text.optional(),
  node: text.optional(),
  nodeUID: text.optional(),
  machineID: text.optional(),
  systemUUID: text.optional(),
  providerID: text.optional(),
  memberID: text.optional(),
  role: z.enum(['Voter', 'Learner', 'Unknown']),
  health: z.enum(['Healthy', 'NoLeader', 'NotAnswering', 'NotRunning', 'Held', 'Lost', 'Unknown']),
  raftTerm: count.optional(),
  raftIndex: count.optional(),
  revision: count.optional(),
  claim: text.optional(),
  claimUID: text.optional(),
  volume: text.optional(),
  fenced: fencedSchema.optional(),
});

const witnessSchema = z.object({
  clusterID: text,
  revision: count,
  raftIndex: count,
  raftTerm: count,
  members: z.array(z.object({pod: text, memberID: text, claimUID: text.optional(), volume: text.optional()})),
  observedAt: time,
}).describe('What was seen when every voter was healthy the last time: the witness of a later recovery.');

const servedSchema = z.object({
  revision: count.describe('Highest revision that a member answered with.'),
  perSecond: z.number().min(0).optional().describe('The most revisions a second that were seen between two looks; half of it after ten minutes.'),
  at: time,
}).describe('When a quorum was last seen to serve, whole or not: how far clients had seen at least.');

const suspicionSchema = z.object({
  since: time.describe('When the loss of the quorum was first suspected.'),
  kubernetes: text.describe('What Kubernetes says of pods and nodes.'),
  etcd: text.describe('What the members themselves say.'),
  agreedSince: time.optional().describe('Since when both have said that the quorum is lost: the grace period counts from here.'),
  recoversAt: time.optional().describe('When a run begins by itself, if nothing changes.'),
  waitsFor: text.optional().describe('Why no run begins by itself yet.'),
}).describe('The quorum seems to be lost. Gone once a quorum serves again.');

export const stepSchema = z.object({
  name: text,
  state: z.enum(['Pending', 'Running', 'Done', 'Deferred', 'Failed']),
  startedAt: time.optional(),
  finishedAt: time.optional(),
  message: text.optional(),
});

const planSchema = z.object({
  hash: text.describe('What an approval is given for: spec.approvedPlan has to carry it where spec.approval is Required.'),
  strategy: z.enum(['ForceNewCluster']),
  survivor: text,
  candidates: z.array(text),
  why: text,
  ranks: z.array(z.object({pod: text, memberID: text, term: count, index: count, commit: count, revision: count, from: z.enum(['disk', 'etcd', 'unread'])}))
    .describe('Every candidate, the best first: last term and index of its log, commit index and revision.'),
  lowest: z.object({term: count, index: count}).describe('Data that ends before this term and index is not what was planned with: the run asks again.'),
  lost: z.array(z.object({pod: text, memberID: text.optional(), fenced: text, proof: text.optional()}))
    .describe('The members that do not come back as they were, and what proves that they have ended.'),
  claims: z.array(z.object({name: text, pod: text, place: text, fate: text})).describe('What happens to each claim.'),
  expectedLoss: text,
  steps: z.array(text),
  notes: z.array(text).describe('Differences from the template, and warnings.'),
  specHash: text.describe('Fingerprint of the spec\'s fields that the plan was made for.'),
  setUID: text,
  setSpecHash: text,
  revision: text.describe('The ControllerRevision that the run\'s own pods are made from.'),
});

export const offlineSchema = z.object({
  pod: text,
  stage: z.enum(['Planning', 'Held']).describe('Planning: beside the running pod; Held: with no pod of the set on the volume.'),
  data: z.enum(['Present', 'Empty', 'Guarded', 'Unreadable']),
  memberID: text.optional(),
  clusterID: text.optional(),
  term: count.optional(),
  index: count.optional(),
  commit: count.optional(),
  revision: count.optional(),
  members: z.array(namedMemberSchema).optional(),
  readAt: time.optional(),
  unfit: text.optional().describe('Why no cluster can start from this data.'),
  etcdutl: z.object({
    keys: count.optional().describe('From etcd 3.6 on the keys that are there; before it counts every entry of the file.'), hash: text.optional(), revision: count.optional(), totalSize: count.optional(),
    broken: text.optional(), missing: text.optional().describe('Why there is nothing from it.'),
  }).optional().describe('What the etcdutl of the cluster\'s own image says of the whole database, or of its copy.'),
  message: text.optional(),
}).describe('What the volume agent read from a member\'s disk.');

const snapshotSchema = z.object({
  pod: text,
  path: text.optional().describe('The snapshot, on the volume of the pod\'s data: etcdutl reads it as it is.'),
  bytes: count.optional(),
  sha256: text.optional().describe('SHA-256 of the database in it, which etcd sent and the file was compared with.'),
  revision: count.optional(),
  takenAt: time.optional(),
  skipped: text.optional().describe('Why there is no snapshot. The run goes on without: the copy of the disk is made all the same.'),
}).describe('A member that still ran is snapshotted before it is stopped. With neither path nor skipped it is to be taken.');

const joinSchema = z.object({
  pod: text,
  attempt: count,
  memberID: text.optional(),
  guarded: z.boolean().optional().describe('Its old data was set aside on its own volume.'),
  replacedClaims: z.array(text).optional().describe('UIDs of claims that are replaced, because their volumes are lost.'),
  deferred: z.object({reason: text, message: text, nodes: text.optional()}).optional(),
  added: z.boolean().optional().describe('Its ordinal came with a scale-up during the run: it is held and joins like the others.'),
  gone: z.boolean().optional().describe('Its ordinal went with a scale-down during the run.'),
});

export const runSchema = z.object({
  id: text,
  attempt: count,
  request: text.optional(),
  trigger: z.enum(['Manual', 'OnQuorumLoss']).optional().describe('OnQuorumLoss: it began by itself.'),
  spec: text.optional().describe('The spec as the run used it last, as JSON: it goes on with this one when the spec becomes invalid.'),
  startedAt: time,
  finishedAt: time.optional(),
  outcome: z.enum(['Recovered', 'Degraded', 'NotNeeded', 'Failed', 'Released']).optional(),
  progress: text.optional().describe('Steps done of all steps, e.g. 5/9.'),
  plan: planSchema.optional(),
  steps: z.array(stepSchema),
  identity: z.object({clusterID: text, version: text, members: z.array(namedMemberSchema), source: text}).optional(),
  offline: z.array(offlineSchema).optional(),
  snapshots: z.array(snapshotSchema).optional(),
  force: z.object({
    attempt: count, pod: text, podUID: text.optional(), revision: count.optional(), discardedEntries: count.optional(), copy: text.optional(),
    refused: z.array(count).optional().describe('Attempts whose agent had spent the marker and then failed: no etcd started in them.'),
    tail: text.optional().describe('What became of the log entries beyond the commit index.'),
    move: z.object({from: count, target: count, proven: z.boolean(), why: text}).optional().describe('How far the revision is to be moved in the forced start, past what clients may have seen.'),
    dataBytes: count.optional().describe('Size of the survivor\'s database on its disk.'), turnGiven: z.boolean().optional().describe('The forced start may have begun: from here on the run is finished, whatever comes.'), endedAt: time.optional(),
  }).optional(),
  volumeSnapshots: z.array(z.object({claim: text, pod: text, claimUID: text, name: text, uid: text, cutAt: time})).optional()
    .describe('VolumeSnapshots of the survivor\'s claims, and when the storage took them: before anything was changed.'),
  joins: z.array(joinSchema).optional(),
  restart: z.object({pod: text, podUID: text}).optional(),
  approved: z.object({hash: text, at: time}).optional().describe('The plan that spec.approvedPlan approved.'),
  aborted: z.object({reason: text, message: text}).optional().describe('Why the run ends before anything was forced: what was held is let go again.'),
  writableAt: time.optional().describe('When the survivor\'s own pod accepted the first write.'),
  redundantAt: time.optional().describe('When all members that can run were voters with equal data.'),
});

const dataLossSchema = z.object({
  survivorRevision: count.optional().describe('Revision of the survivor\'s data that the new cluster started from.'),
  lastKnownRevision: count.optional().describe('Highest revision that was seen anywhere: by the witness, in a member\'s answer, on a disk.'),
  witnessed: z.boolean().optional().describe('This resource saw the cluster healthy before.'),
  longerLogs: z.array(text).optional().describe('Disks whose logs go further than the survivor\'s, and why they were not it.'),
  recoveredTailEntries: count.optional().describe('WAL entries beyond the survivor\'s commit index that were kept: acknowledged writes may be among them.'),
  discardedEntries: count.optional().describe('WAL entries beyond the commit index that etcd says it dropped in the forced start.'),
  revisions: z.object({from: count, to: count, proven: z.boolean(), why: text}).optional()
    .describe('The revision was moved past what clients may have seen, and whether it is proven that none of them sees one twice with other content.'),
});

const keptSchema = z.object({
  run: text, pod: text, claimUID: text, until: time, volumeSnapshot: z.object({name: text, uid: text}).optional().describe('What is kept is this VolumeSnapshot, and not on the volume itself.'),
});

/** `status` of a QuorumRecovery. Read leniently: an unreadable status counts as absent and is said so. */
export const statusSchema = z.object({
  observedGeneration: count.optional(),
  phase: text.optional(),
  conditions: z.array(conditionSchema).optional()
    .meta({'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['type']}),
  quorum: z.object({voters: count, needed: count, healthy: count, summary: text}).optional(),
  members: z.array(memberSchema).optional(),
  lastHealthy: witnessSchema.optional(),
  lastServed: servedSchema.optional(),
  suspicion: suspicionSchema.optional(),
  regression: z.object({since: time, message: text}).optional().describe('A quorum serves data that is older than what was seen before.'),
  automatic: z.object({attempts: count, endedAt: time.optional()}).optional()
    .describe('Runs that began by themselves since the cluster was whole for as long as trigger.cooldown, and when the last one ended.'),
  run: runSchema.optional(),
  heldPods: z.array(z.string().max(253)).max(16).optional(),
  dataLoss: dataLossSchema.optional(),
  kept: z.array(keptSchema).max(512).optional().describe('What runs have left on volumes and as VolumeSnapshots, until when.'),
  history: z.array(z.object({
    id: text, strategy: text.optional(), survivor: text.optional(), outcome: text, reason: text.optional(), finishedAt: time,
    unavailableSeconds: z.number().min(0).optional(), durationSeconds: z.number().min(0),
    dataLoss: dataLossSchema.optional(),
  })).max(10).optional(),
});

export type QuorumRecoveryStatus = z.infer<typeof statusSchema>;
export type Condition = z.infer<typeof conditionSchema>;
export type MemberRecord = z.infer<typeof memberSchema>;
export type Fenced = z.infer<typeof fencedSchema>;
export type NamedMember = z.infer<typeof namedMemberSchema>;
export type Served = z.infer<typeof servedSchema>;
export type Witness = z.infer<typeof witnessSchema>;
export type Suspicion = z.infer<typeof suspicionSchema>;
export type Run = z.infer<typeof runSchema>;
export type Plan = z.infer<typeof planSchema>;
export type StepRecord = z.infer<typeof stepSchema>;
export type OfflineFacts = z.infer<typeof offlineSchema>;
export type SnapshotRecord = z.infer<typeof snapshotSchema>;
export type JoinRecord = z.infer<typeof joinSchema>;
export type Kept = z.infer<typeof keptSchema>;
export type DataLoss = z.infer<typeof dataLossSchema>;
