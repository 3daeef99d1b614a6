import {z} from 'zod';
import {dependentKinds} from '../kubernetes/dependents.ts';
import {configurationSchema} from './configuration.ts';
import {rebuildSchema} from './rebuild.ts';
import {celRules} from './rules.ts';
import {backupsSpecSchema, snapshotSpecSchema} from './store.ts';

/** A DNS-1123 subdomain, the form of most Kubernetes names. */
const name = (what: string) => z.string().min(1).max(253).describe(what);
const secretKey = (fallback: string, what: string) => z.string().min(1).max(253).default(fallback).describe(what);

const duration = (fallback: string, what: string) => z.string().regex(/^([0-9]+(ms|s|m|h))+$/).max(32).default(fallback).describe(what);

const tls = z.object({
  secretName: name('Secret in the same namespace with a client certificate that etcd accepts.'),
  caKey: secretKey('ca.crt', 'Key of the CA bundle in the Secret.'),
  certKey: secretKey('tls.crt', 'Key of the client certificate in the Secret.'),
  keyKey: secretKey('tls.key', 'Key of the client private key in the Secret.'),
}).describe('Client TLS towards etcd. Without it the operator connects in plain text.');

const auth = z.object({
  secretName: name('Secret in the same namespace with an etcd user of the root role.'),
  usernameKey: secretKey('username', 'Key of the user name in the Secret.'),
  passwordKey: secretKey('password', 'Key of the password in the Secret.'),
}).describe('etcd user and password. etcd can check them only while there is a quorum, so they serve from the forced start on.');

const launch = z.object({
  command: z.array(z.string().max(4096)).max(64).optional().describe('Replaces the command of the etcd container.'),
  args: z.array(z.string().max(16384)).max(256).optional().describe('Replaces the arguments of the etcd container.'),
}).describe('How etcd is started, where the template\'s own entrypoint is a script that cannot be read. Used for the pods that the operator makes in a run.')
  .meta(celRules('launch'));

const target = z.object({
  statefulSet: name('Name of the StatefulSet that runs etcd, in the namespace of this resource.'),
  container: z.string().min(1).max(63).optional().describe('The etcd container. Default: the only container, else the one named etcd.'),
  tls: tls.optional(),
  auth: auth.optional(),
  launch: launch.optional(),
}).meta(celRules('target'));

const autoReplace = z.object({
  after: duration('10m', 'How long the member must have been proven gone for good before the run begins, e.g. 10m.'),
}).describe('OnQuorumLoss with strategy Auto: while a quorum serves, a member whose volume and last process are proven to have gone with their node (Node deleted, or out of service) is replaced by itself. Neither a NotReady node nor lostMembers proves that. cooldown and maxAttempts hold for these runs by themselves. Default: nothing is replaced by itself.');

const trigger = z.object({
  type: z.enum(['Manual', 'OnQuorumLoss']).default('Manual')
    .describe('Manual: one run for this resource; another one needs a new value in request. OnQuorumLoss: the cluster is watched, and a run begins by itself once its quorum is lost.'),
  request: z.string().max(253).optional().describe('Any text. A value that differs from that of the last run asks for a new run.'),
  gracePeriod: duration('10m', 'OnQuorumLoss: how long Kubernetes and etcd must have agreed that the quorum is lost before a run begins, e.g. 10m.'),
  cooldown: duration('30m', 'OnQuorumLoss: how long after the end of a run that it began the next one may begin, e.g. 30m.'),
  maxAttempts: z.int().min(1).max(10).default(3)
    .describe('OnQuorumLoss: runs that it begins before the cluster was whole again for as long as cooldown; after them a person has to ask for the next.'),
  autoReplace: autoReplace.optional(),
});

const lostMember = z.object({
  pod: name('Pod of the member, e.g. etcd-0.'),
  memberID: z.string().regex(/^[0-9a-f]{1,16}$/).describe('Its member ID in lower-case hexadecimal, as status.members and etcdctl show it.'),
}).describe('Your word that this member does not run any more and does not come back as it was. It is good for this member ID only.');

const dependent = z.object({
  kind: z.enum(dependentKinds).describe('What it is: Deployment, StatefulSet or DaemonSet.'),
  name: name('Its name, in the namespace of this resource.'),
});

const verification = z.object({
  canaryKeys: z.array(z.string().min(1).max(1024)).max(32).default([])
    .describe('Keys that must exist after the forced start, and on every member at the end.'),
  restartProof: z.boolean().default(true)
    .describe('Restart one follower from the unmodified template at the end (3 voters or more).'),
  timeout: duration('10m', 'How long one member may take to join, and the checks at the end may take, e.g. 90s or 10m.'),
});

/** `spec` of a QuorumRecovery. Every field here has an effect: what is not built yet is not in it. */
export const specSchema = z.object({
  target,
  trigger: trigger.prefault({}),
  strategy: z.enum(['Auto', 'Restart', 'ForceNewCluster', 'ReplaceMembers', 'RestoreSnapshot', 'RebuildFromConfig']).default('Auto')
    .describe('Auto and ForceNewCluster force only where the quorum is lost for good and no quorum of data is left. Where one is, Auto and Restart bring up pods that Kubernetes does not bring up by itself, with every disk kept; Restart does nothing else, and restarts pods in back-off too. While a quorum serves, Auto replaces the members that lostMembers names, and ReplaceMembers every member of which is proven that it is gone for good. RestoreSnapshot, and Auto where no data is left that a cluster can start from, starts a new cluster from a snapshot of spec.snapshot on all claims. Where a survivor\'s version or log cannot be forced, its own database is restored in the same way. RebuildFromConfig, and Auto where there is no snapshot either, starts an empty one and loads it from spec.rebuild: all else is lost. Such plans are never carried out without approval.'),
  approval: z.enum(['Automatic', 'Required']).default('Automatic')
    .describe('Required: the disks are read and the plan is made, and nothing else is done until approvedPlan carries its hash.'),
  approvedPlan: z.string().max(39).regex(/^sha256-[0-9a-f]{32}$/).optional()
    .describe('Hash of the plan that you approve, as status.run.plan.hash shows it. A plan that changes has another hash and asks again.'),
  preferredLeader: name('Pod whose member leads while the cluster is whole and no run is in flight, e.g. etcd-1: leadership is moved there, and moved back when it goes elsewhere. Previous: after a recovery leadership returns, once, to the pod that led when the cluster was last whole before it. Default: raft\'s own choice.').optional(),
  paused: z.boolean().default(false)
    .describe('No run begins. One that has not forced anything yet lets everything go again; one that has is finished first.'),
  survivor: z.object({pod: name('Pod whose data the new cluster starts from.')}).optional()
    .describe('Your pick of the survivor, for this run. Default: the member with the best data.'),
  // The API server refuses a second one by the list's map key.
  lostMembers: z.array(lostMember).max(16)
    .refine((members) => new Set(members.map((member) => member.pod)).size === members.length, {error: 'names a pod twice'}).optional()
    .meta({'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['pod']}),
  minRevision: z.int().min(0).optional()
    .describe('For this run: clients may have seen revisions up to this one. The new cluster goes on beyond it. Default: what this resource saw of the cluster, and a margin.'),
  preserve: z.object({
    mode: z.enum(['Copy', 'VolumeSnapshot', 'Skip']).default('Copy')
      .describe('Before the survivor\'s data is changed: Copy: it is copied on its own volume; VolumeSnapshot: a VolumeSnapshot of its claim is taken; Skip: neither.'),
    volumeSnapshotClassName: name('VolumeSnapshotClass of the snapshot. Default: the default class of the volume\'s CSI driver.').optional(),
    retention: duration('168h', 'How long copies, VolumeSnapshots and data that was set aside are kept after the end of the run, e.g. 168h.'),
  }).prefault({}),
  snapshot: snapshotSpecSchema.optional().describe('Where snapshots of this cluster are: in a bucket (s3) or on a volume (claim).'),
  backups: backupsSpecSchema.optional()
    .describe('Snapshots are taken on a schedule, from a follower that is not behind, checked, and written to what spec.snapshot names.'),
  // The API server refuses a second one by the list's map keys.
  dependents: z.array(dependent).max(32)
    .refine((list) => new Set(list.map(({kind, name: of}) => `${kind}/${of}`)).size === list.length, {error: 'names a dependent twice'}).optional()
    .describe('What uses this etcd: stopped before the first etcd pod is, and returned in this order, each with its own count and each awaited Ready, once the survivor is verified.')
    .meta({'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['kind', 'name']}),
  configuration: configurationSchema.optional(),
  rebuild: rebuildSchema.optional(),
  verification: verification.prefault({}),
}).meta(celRules('spec'));

export type QuorumRecoverySpec = z.infer<typeof specSchema>;
