import {z} from 'zod';
import {celRules} from './rules.ts';

/** A DNS-1123 subdomain, the form of most Kubernetes names. */
const name = (what: string) => z.string().min(1).max(253).describe(what);
const secretKey = (fallback: string, what: string) => z.string().min(1).max(253).default(fallback).describe(what);
const durationText = z.string().regex(/^([0-9]+(ms|s|m|h))+$/).max(32);
/** One in which seconds, minutes or hours are not 0: a second at least. */
const intervalText = z.string().regex(/^([0-9]+(ms|s|m|h))*[0-9]*[1-9][0-9]*[smh]([0-9]+(ms|s|m|h))*$/).max(32);

/** A way below the bucket or the claim's root: no empty part, and none that begins with a dot. */
const way = z.string().max(512).regex(/^[^/.][^/]*(\/[^/.][^/]*)*$/);

const s3 = z.object({
  bucket: z.string().min(3).max(63).regex(/^[a-z0-9][a-z0-9.-]*[a-z0-9]$/).describe('Bucket; it must be there.'),
  prefix: way.optional().describe('What the names of the objects begin with, a / is put after it, e.g. clusters/db. Default: the snapshots stand at the root of the bucket.'),
  endpoint: z.string().max(512).regex(/^https?:\/\/[^/?#@]+$/).optional().describe('URL of a server that speaks S3, e.g. https://minio.storage:9000. Default: that of AWS for the region.'),
  region: z.string().min(1).max(64).default('us-east-1').describe('Region, as the server wants it signed.'),
  forcePathStyle: z.boolean().default(false).describe('The bucket stands in the path of URLs and not in their host name. Most servers other than AWS need it.'),
  credentials: z.object({
    secretName: name('Secret in the same namespace with an access key.'),
    accessKeyIDKey: secretKey('accessKeyID', 'Key of the access key\'s ID in the Secret.'),
    secretAccessKeyKey: secretKey('secretAccessKey', 'Key of the secret access key in the Secret.'),
    sessionTokenKey: name('Key of a session token in the Secret. Default: none is sent.').optional(),
  }).optional().describe('Access key. Default: what the environment of the StatefulSet\'s service account gives a pod. The operator itself never reads it: the kubelet hands it to the pod that transfers.'),
  ca: z.object({
    secretName: name('Secret in the same namespace.'),
    key: secretKey('ca.crt', 'Key of the CA bundle in the Secret.'),
  }).optional().describe('Authority of the server\'s certificate, where that is no public one.'),
});

const claim = z.object({
  name: name('PersistentVolumeClaim in the same namespace. A pod that transfers mounts it, so it must be one that can be mounted where such a pod may run.'),
  path: way.optional().describe('Directory on it. Default: its root.'),
});

/** `spec.snapshot`: where snapshots are, and which of them a restore takes. */
export const snapshotSpecSchema = z.object({
  s3: s3.optional(),
  claim: claim.optional(),
  name: z.string().min(1).max(200).regex(/^[0-9A-Za-z][0-9A-Za-z._-]*$/).optional()
    .describe('Snapshot that a restore takes, as its file or object is named below prefix or path. Default: the newest one that verifies and is of this cluster.'),
  maxAge: durationText.optional().describe('A restore refuses snapshots that are older, e.g. 24h. Default: any age.'),
}).meta(celRules('snapshot'));

/** `spec.backups`: snapshots that the operator takes by itself. */
export const backupsSpecSchema = z.object({
  interval: intervalText.default('1h').describe('How often a snapshot is taken, e.g. 1h, and 1s at least: so long after the last one was begun the next one is.'),
  keepLast: z.int().min(1).max(1000).default(24).describe('So many snapshots of this cluster are kept in the store, the newest ones.'),
  keepFor: durationText.optional().describe('Older ones go too, e.g. 168h. The newest one is never taken away, whatever its age. Default: age alone takes none away.'),
});

export type SnapshotSpec = z.infer<typeof snapshotSpecSchema>;
export type BackupsSpec = z.infer<typeof backupsSpecSchema>;
