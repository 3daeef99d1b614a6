import {z} from 'zod';
import {formats} from './configuration.ts';

const name = (what: string) => z.string().min(1).max(253).describe(what);
const etcdKey = (what: string) => z.string().min(1).max(1024).describe(what);

const source = z.object({
  name: z.string().regex(/^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/).max(40).describe('Its name in messages, in the status and in the name of its Job.'),
  configMap: name('ConfigMap in the namespace of this resource. One of configMap, secret, claim and cronJob is needed.').optional(),
  secret: name('Secret in the namespace of this resource. Nothing of its values is told.').optional(),
  cronJob: name('CronJob in the namespace of this resource, which may be suspended: a Job is made from it (as kubectl create job --from does) and awaited. Its script loads keys, finds the members in ETCDCTL_ENDPOINTS, and has to be safe to repeat.').optional(),
  claim: name('PersistentVolumeClaim in the namespace of this resource, with a dump in the file `path`: dump: true. It is read by a pod of the run, and never written.').optional(),
  path: z.string().min(1).max(512).regex(/^[^/.][^/]*(\/[^/.][^/]*)*$/).describe('File on the claim, relative to its root.').optional(),
  keyPrefix: etcdKey('Each field of the ConfigMap or Secret becomes one key: this prefix and the field\'s name.').optional(),
  key: etcdKey('The one key whose value is `field`.').optional(),
  field: name('The one field that is read. Needed with key; with dump: default is every field.').optional(),
  dump: z.boolean().default(false).describe('The fields are dumps: JSON with keys and values in base64, as etcdctl get --prefix -w json writes it, or one {"key": …, "value": …} a line.'),
});

const check = z.object({
  name: z.string().regex(/^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/).max(40).describe('Its name in messages, in the status and in the name of its Job.'),
  sources: z.array(z.string().max(40)).min(1).max(16).optional().describe('In sync: every key of these sources has the value that its source has now. One of sources, keys and cronJob is needed.'),
  keys: z.array(z.string().min(1).max(1024)).min(1).max(64).optional().describe('Keys that have to be there, each in `format`.'),
  format: z.enum(formats).optional().describe('What the values of keys have to be. Default: Text.'),
  schema: z.object({configMap: name('ConfigMap in the namespace of this resource.'), key: name('Key of its data.')}).optional()
    .describe('A JSON Schema (draft 2020-12) that the values of keys have to satisfy. Only with format JSON or YAML.'),
  cronJob: name('CronJob in the namespace of this resource, which may be suspended: a Job is made from it, and has to succeed.').optional(),
});

const unique = (list: readonly {name: string}[]) => new Set(list.map((one) => one.name)).size === list.length;

/** `spec.rebuild`: what a new, empty cluster is loaded with, and what has to hold before anybody uses it. */
export const rebuildSchema = z.object({
  // The API server refuses a second one of a name by the list's map key.
  sources: z.array(source).min(1).max(16).refine(unique, {error: 'names a source twice'})
    .describe('Loaded in this order.').meta({'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['name']}),
  checks: z.array(check).max(16).refine(unique, {error: 'names a check twice'}).default([])
    .describe('Checked in this order, before the dependents come back.').meta({'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['name']}),
}).describe('RebuildFromConfig: the truth outside etcd that a new cluster is loaded with. What is not in the sources is lost.');

export type RebuildSource = z.infer<typeof source>;
export type RebuildCheck = z.infer<typeof check>;
