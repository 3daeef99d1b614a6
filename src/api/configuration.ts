import {z} from 'zod';

const name = (what: string) => z.string().min(1).max(253).describe(what);

/** How a value is read. */
export const formats = ['Text', 'JSON', 'YAML', 'XML', 'Properties'] as const;
export type Format = (typeof formats)[number];

const field = z.object({configMap: name('ConfigMap in the namespace of this resource.'), key: name('Key of its data.')});

const members = z.object({
  at: z.string().max(1024).optional()
    .describe('Where in the value they stand. JSON and YAML: a JSON pointer to a list of strings, or to a string, e.g. /servers. Properties: the name of a property, with its section where it has one, e.g. servers or cluster.node. Text: absent, the whole value.'),
}).describe('The value has to name every pod of the StatefulSet, and nothing else: by its name or its DNS name; a scheme, a port and what stands before an equals sign do not count. A string is taken apart at commas, semicolons and blanks.');

const check = z.object({
  name: name('Its name in messages and in the plan.'),
  configMap: name('ConfigMap in the namespace of this resource. Either it or secret is needed.').optional(),
  secret: name('Secret in the namespace of this resource. Nothing of its value is told.').optional(),
  key: name('Key of its data.'),
  format: z.enum(formats).default('Text')
    .describe('What the value has to be: Text (anything in UTF-8), JSON, YAML (one document), XML (well-formed), Properties (lines of key=value, [sections], comments with # or ;).'),
  schema: field.optional().describe('A JSON Schema (draft 2020-12) that the value has to satisfy. Only with format JSON or YAML.'),
  members: members.optional(),
  ignore: z.boolean().default(false).describe('What is inconsistent is told in the plan, whose hash covers it, and stops nothing.'),
});

/** `spec.configuration`: what has to be in order before anything is touched, whatever the strategy. */
export const configurationSchema = z.object({
  // The API server refuses a second one by the list's map key.
  checks: z.array(check).min(1).max(32)
    .refine((list) => new Set(list.map((one) => one.name)).size === list.length, {error: 'names a check twice'})
    .meta({'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['name']}),
}).describe('Configuration outside etcd that is checked when the plan is made, and again right before the surgery. What is inconsistent blocks the run (ConfigurationInconsistent).');

export type ConfigurationCheck = z.infer<typeof check>;
