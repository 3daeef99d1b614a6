import {z} from 'zod';
import {dependentKinds} from '../kubernetes/dependents.ts';

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
  lostRevision: count.optional().describe('A new cluster of this member\'s own database was to begin at this revision, and was lost before it served. Clients may have seen it, and nobody counts it as data.'),
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
  leader: text.optional().describe('Pod of the member that led.'),
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
  queuedAt: time.optional().describe('Since when a run would have begun by itself if fewer others were at work: it waits for its turn.'),
}).describe('The quorum seems to be lost. Gone once a quorum serves again.');

const autoReplaceSchema = z.object({
  members: z.array(z.object({pod: text, memberID: text, proof: text, since: time})).describe('Members that are proven gone for good, and since when.'),
  replacesAt: time.optional().describe('When a run begins that replaces them, if nothing changes.'),
  waitsFor: text.optional().describe('Why none begins.'),
  queuedAt: time.optional().describe('Since when it would have begun if fewer others were at work: it waits for its turn.'),
  attempts: count.optional().describe('Such runs since the cluster was last whole for as long as trigger.cooldown.'),
  endedAt: time.optional().describe('When the last of them ended.'),
}).describe('trigger.autoReplace: what is to be replaced by itself while a quorum serves.');

export const stepSchema = z.object({
  name: text,
  state: z.enum(['Pending', 'Running', 'Done', 'Deferred', 'Failed']),
  startedAt: time.optional(),
  finishedAt: time.optional(),
  message: text.optional(),
});

const storedSnapshotSchema = z.object({
  name: text, takenAt: time.optional(), revision: count, bytes: count, sha256: text, clusterID: text.optional(),
});

const planSnapshotSchema = storedSnapshotSchema.extend({
  sha256: text.optional().describe('Of a snapshot in a store.'),
  pod: text.optional().describe('What a force falls back to: the snapshot is made offline from the own database of the member in this pod, which the others join. Nothing comes from a store.'),
  index: count.optional().describe('With pod: the last log entry that is in the database. Absent: it is read once nothing runs on it any more.'),
  logIndex: count.optional().describe('With pod: the last entry of its log. What is in between is not in the database, and is lost. Absent: the log cannot be read to its end.'),
});

const planSchema = z.object({
  hash: text.describe('What an approval is given for: spec.approvedPlan has to carry it where spec.approval is Required.'),
  strategy: z.enum(['Restart', 'ForceNewCluster', 'ReplaceMembers', 'RestoreSnapshot', 'RebuildFromConfig']),
  survivor: text.describe('The member that the cluster starts from; with ReplaceMembers one that serves, through which the others are replaced; with Restart, and where a new cluster is started on all claims, one through which the result is verified.'),
  candidates: z.array(text),
  why: text,
  ranks: z.array(z.object({pod: text, memberID: text, term: count, index: count, commit: count, revision: count, from: z.enum(['disk', 'etcd', 'unread'])}))
    .describe('Every candidate, the best first: last term and index of its log, commit index and revision.'),
  lowest: z.object({term: count, index: count}).describe('Data that ends before this term and index is not what was planned with: the run asks again.'),
  lost: z.array(z.object({pod: text, memberID: text.optional(), fenced: text, proof: text.optional()}))
    .describe('The members that do not come back as they were, and what proves that they have ended.'),
  claims: z.array(z.object({name: text, pod: text, place: text, fate: text})).describe('What happens to each claim.'),
  expectedLoss: text,
  givenUp: z.array(text).optional().describe('Pods of a cluster that went back, whose data is set aside for the older one that spec.survivor names. Such a plan is never carried out without approval.'),
  dependents: z.array(z.object({kind: z.enum(dependentKinds), name: text, has: text})).optional()
    .describe('What is stopped before the first etcd pod is, and what it had when the plan was made: a count of replicas, or the nodes that it runs on.'),
  restarts: z.array(z.object({
    pod: text, podUID: text.optional().describe('The pod that is stopped for it; absent: there is none.'), rollout: z.boolean().optional().describe('It comes back from another revision: one such pod after the other.'), why: text,
  })).optional().describe('Restart: the pods that are brought up again, each on its own claim.'),
  rebuild: z.array(z.object({name: text, from: text, keys: count.optional()})).optional().describe('RebuildFromConfig: what the new cluster is loaded with, in this order. Everything else is lost.'),
  first: z.array(text).optional().describe('RebuildFromConfig with more than three members: the pods that the new cluster begins with. The others join it as learners, once it is loaded.'),
  configuration: z.array(z.object({name: text, source: text, state: z.enum(['Consistent', 'Ignored', 'Inconsistent']), message: text})).optional()
    .describe('What spec.configuration.checks found when the plan was made. Ignored: it is inconsistent, and the spec says to go on; the hash covers it.'),
  snapshot: planSnapshotSchema.optional().describe('RestoreSnapshot: the snapshot that the new cluster starts from.'),
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
  database: z.object({
    index: count, term: count, revision: count, bytes: count, file: text,
    alarms: z.array(z.object({memberID: text, alarm: z.enum(['NOSPACE', 'CORRUPT'])})).optional().describe('Alarms that stand in it.'),
    authEnabled: z.boolean().optional().describe('It asks for a user.'),
  }).optional().describe('Its database, which can be read: the last log entry in it, its file in member/snap.'),
  freeBytes: count.optional().describe('Free on the volume of the data when it was read.'),
  walFreeBytes: count.optional().describe('The same of the log\'s own volume, where it has one.'),
  broken: z.boolean().optional().describe('It was looked at, and no etcd can start on it: log or database are damaged.'),
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
  replacedClaims: z.array(text).optional().describe('UIDs of claims that are replaced, because their volumes are lost, or were made on a node that the member gave back to the survivor.'),
  deferred: z.object({reason: text, message: text, nodes: text.optional()}).optional(),
  added: z.boolean().optional().describe('Its ordinal came with a scale-up during the run: it is held and joins like the others.'),
  gone: z.boolean().optional().describe('Its ordinal went with a scale-down during the run.'),
});

const dependentSchema = z.object({
  kind: z.enum(dependentKinds),
  name: text,
  uid: text,
  replicas: count.optional().describe('The count that it is given back. A DaemonSet has none.'),
  nodeSelector: text.optional().describe('Of a DaemonSet: the label that was added to the node selector of its pods and is taken out again. No node has it.'),
  state: z.enum(['Stopping', 'Stopped', 'Returning', 'Returned'])
    .describe('Stopping: its count stands here, and it is being stopped. Stopped: its spec asks for no pod. Returning: it is being given back what it had. Returned: it has it, and is never touched again.'),
  stoppedAt: time,
  returnedAt: time.optional(),
  readyAt: time.optional().describe('When as many of its pods were Ready as nodes can take.'),
  startedAgain: count.optional().describe('So often somebody started it in the middle of the run, and it was stopped again.'),
  startedBy: text.optional().describe('Who did so last, by the name that the API server recorded.'),
  refused: text.optional().describe('Why the API server does not let it be changed; that is tried again.'),
  message: text.optional().describe('What else is to be said of its return.'),
}).describe('A dependent that the run has stopped: recorded before it is.');

const rebuiltSchema = z.object({
  sources: z.array(z.object({
    name: text, from: text.optional(), state: z.enum(['Loading', 'Loaded']), keys: count.optional().describe('How many keys it wrote. A Job\'s are not known.'),
    hash: text.optional().describe('Of its keys and values as they were loaded; a Secret\'s is keyed by its UID.'), job: text.optional(), startedAt: time, finishedAt: time.optional(),
  })),
  checks: z.array(z.object({name: text, state: z.enum(['Running', 'Passed']), job: text.optional(), compared: z.array(text).optional().describe('Dumps on claims that were compared, each as it was loaded.'), startedAt: time, finishedAt: time.optional()})),
}).describe('RebuildFromConfig: what the new cluster was loaded with, and what was checked. Loading: a load that was cut off begins again, with the same values.');

export const runSchema = z.object({
  id: text,
  attempt: count,
  request: text.optional(),
  previousLeader: text.optional().describe('Pod that led when the cluster was last whole before this run.'),
  trigger: z.enum(['Manual', 'OnQuorumLoss', 'AutoReplace']).optional().describe('OnQuorumLoss: it began by itself. AutoReplace: so too, to replace a member while a quorum serves.'),
  operator: text.optional().describe('Namespace and name of the Lease of the installation that carries the run out. Another one lets it be for as long as that is held.'),
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
  replace: z.object({
    removed: z.array(z.object({pod: text, memberID: text, at: time})).describe('Members that were taken out of the list, each written here before.'),
    dataBytes: count.optional().describe('Size of the database that each new member is sent.'),
  }).optional().describe('ReplaceMembers: the membership may have been changed, from here on the run is finished, whatever comes.'),
  stored: z.object({
    asked: text.describe('Fingerprint of what the store was asked for.'), readAt: time, snapshot: storedSnapshotSchema.optional(),
    refused: z.array(z.object({name: text, reason: text, message: text})).describe('Newer ones, or the named one, that cannot be restored.'),
    problem: z.object({reason: text, message: text}).optional(),
  }).optional().describe('The snapshot in the store that can be restored, verified with all of its content; or why there is none.'),
  dumps: z.object({
    asked: text.describe('Fingerprint of what was read.'), readAt: time,
    sources: z.array(z.object({name: text, keys: count.optional(), hash: text.optional().describe('Of its keys and values, keyed by the UID of this resource.'), problem: text.optional()})),
    overlaps: z.array(text).describe('Keys that two sources write, the first ones.'), problem: text.optional().describe('Why nothing is known of them.'),
  }).optional().describe('RebuildFromConfig: what was found in the dumps on claims before the plan was made.'),
  newCluster: z.object({
    attempt: count.describe('A member that has no place after all makes the next attempt, without it.'),
    members: z.array(text).describe('Pods whose members the new cluster begins with. The others join it as learners.'),
    clusterID: text.describe('ID of the new cluster, which follows from its members and the token of the run.'),
    move: z.object({from: count, target: count, proven: z.boolean(), why: text}).optional().describe('RestoreSnapshot: how far the revision is moved in the restored data, past what clients may have seen.'),
    begunAt: time.optional().describe('Data may have been set aside, or a claim replaced: from here on the run is finished, whatever comes.'),
    seeded: z.array(text).describe('Pods on whose claims the data of the new cluster is in place.'),
    lost: z.array(z.object({pod: text, memberID: text, why: text, removed: z.boolean().optional().describe('It is not in the list any more, and joins anew.')})).optional()
      .describe('Members that were gone for good before the new cluster served, each written here before it is taken out of the list.'),
    servedAt: time.optional().describe('When a quorum of the new cluster accepted the first write.'),
  }).optional().describe('A new cluster is started on all claims at once.'),
  stuck: z.array(z.object({pod: text, podUID: text.optional(), since: time})).optional().describe('Pods that could be restarted, and since when they have stood like this: Kubernetes may be about to bring them up itself.'),
  restarted: z.array(z.object({pod: text, podUID: text.optional(), at: time, back: z.boolean().optional().describe('It served when the result was verified.')})).optional().describe('Restart: pods that were begun with, each written here before.'),
  heldBefore: z.array(z.string().max(253)).max(16).optional().describe('Names that an earlier run left held when this one began. This run lets none of them go: they start by joining alone.'),
  unservedSince: time.optional().describe('ReplaceMembers, and Restart while it verifies: since when the run finds no quorum that serves.'),
  rebuild: rebuiltSchema.optional(),
  joins: z.array(joinSchema).optional(),
  dependents: z.array(dependentSchema).optional(),
  leftStopped: z.array(z.object({kind: z.enum(dependentKinds), name: text, uid: text, replicas: count})).optional().describe('What an earlier run could not bring back, and the count that it had before: this run gives it back.'),
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
  database: z.object({pod: text, index: count, logIndex: count.optional()}).optional()
    .describe('A member\'s own database was restored instead of a force: the last log entry in it, and the last entry of its log. Those in between are lost. Without the latter its log could not be read, and how many there were is not known.'),
  discardedEntries: count.optional().describe('WAL entries beyond the commit index that etcd says it dropped in the forced start.'),
  revisions: z.object({from: count, to: count, proven: z.boolean(), why: text}).optional()
    .describe('The revision was moved past what clients may have seen, and whether it is proven that none of them sees one twice with other content.'),
});

const keptSchema = z.object({
  run: text, pod: text, claimUID: text, until: time, volumeSnapshot: z.object({name: text, uid: text}).optional().describe('What is kept is this VolumeSnapshot, and not on the volume itself.'),
});

const leadershipSchema = z.object({
  move: z.object({
    from: text, to: text, askedAt: time, movedAt: time.optional(), failed: text.optional().describe('Why it did not come to it.'),
  }).optional().describe('The last time that leadership was asked to move for spec.preferredLeader: from which pod to which.'),
  tries: count.optional().describe('How often leadership was asked to move to that pod without having stayed there since for ten minutes.'),
  returnedIn: text.optional().describe('The run after which leadership was with the previous leader again.'),
});

const backupSchema = z.object({
  name: text.describe('File or object in the store.'), pod: text.describe('Pod of the member that it is taken from.'), memberID: text, clusterID: text,
  startedAt: time,
});

const backupsSchema = z.object({
  since: time.describe('Since when spec.backups asks for them.'),
  current: backupSchema.extend({
    version: text, revision: count.describe('What the member had applied before.'), helper: text.describe('Pod that takes and transfers it.'),
    problem: text.optional().describe('Why that pod could not be made yet.'), store: text.optional().describe('Which store it goes to.'),
  }).optional().describe('The one that is being taken: it stands here before its pod is made.'),
  last: backupSchema.extend({
    finishedAt: time, saved: z.boolean(), reason: text.optional(), message: text.optional().describe('Why it was not saved, or what went wrong besides.'),
  }).optional().describe('The one that ended last.'),
  lastSuccess: backupSchema.extend({
    takenAt: time, finishedAt: time, revision: count, bytes: count, sha256: text.describe('SHA-256 of the database in it.'),
    kept: count.describe('So many of this cluster were in the store then.'),
    store: text.optional().describe('Which store that was.'),
  }).optional().describe('The last one that was verified, saved and read back.'),
  failures: count.optional().describe('How many have failed since the last one that was saved.'),
});

const findingSchema = z.object({
  case: z.enum(['MemberNotAnswering', 'MemberCutOff', 'MemberBehind', 'MemberSlow', 'ServiceAstray']),
  pod: text.optional(),
  service: text.optional(),
  since: time.optional().describe('Since when something is wrong with this pod or Service. Degraded counts what lasts.'),
  behind: count.optional().describe('MemberBehind: how many log entries it has not applied that the leader has.'),
  message: text,
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
  findings: z.array(findingSchema).max(16).optional()
    .describe('What is wrong while a quorum serves. Nothing is done about it: no recovery would mend it.'),
  leadership: leadershipSchema.optional(),
  backups: backupsSchema.optional().describe('Snapshots that are taken for spec.backups.'),
  suspicion: suspicionSchema.optional(),
  quorumEnded: z.object({
    at: time, of: text.describe('A digest of the pods, nodes and containers that it was seen of.'),
  }).optional().describe('Since when the old members that are not proven to have ended are too few to elect a leader: no client can have seen a later write.'),
  regression: z.object({
    since: time, message: text,
    members: z.array(z.object({pod: text, claimUID: text})).optional().describe('Pods that served it, with the claims that they ran on.'),
  }).optional().describe('A quorum serves data that is older than what was seen before. It stays until one serves that is not.'),
  autoReplace: autoReplaceSchema.optional(),
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
export type Finding = z.infer<typeof findingSchema>;
export type Backups = z.infer<typeof backupsSchema>;
export type Fenced = z.infer<typeof fencedSchema>;
export type NamedMember = z.infer<typeof namedMemberSchema>;
export type Served = z.infer<typeof servedSchema>;
export type Witness = z.infer<typeof witnessSchema>;
export type AutoReplace = z.infer<typeof autoReplaceSchema>;
export type Suspicion = z.infer<typeof suspicionSchema>;
export type Run = z.infer<typeof runSchema>;
export type Plan = z.infer<typeof planSchema>;
export type StepRecord = z.infer<typeof stepSchema>;
export type DependentRecord = z.infer<typeof dependentSchema>;
export type OfflineFacts = z.infer<typeof offlineSchema>;
export type PlanSnapshot = z.infer<typeof planSnapshotSchema>;
export type StoredSnapshot = z.infer<typeof storedSnapshotSchema>;
export type SnapshotRecord = z.infer<typeof snapshotSchema>;
export type JoinRecord = z.infer<typeof joinSchema>;
export type Kept = z.infer<typeof keptSchema>;
export type DataLoss = z.infer<typeof dataLossSchema>;
