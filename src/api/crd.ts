import {z} from 'zod';
import {specSchema} from './spec.ts';
import {statusSchema} from './status.ts';
import {group, kind, plural, version} from './types.ts';

type JSONSchema = z.core.JSONSchema.BaseSchema;

const limits32 = [-2147483648, 2147483647];

/** What zod emits beyond the structural subset of OpenAPI 3.0 that a CRD may hold (apiextensions-apiserver, pkg/apiserver/schema/validation.go). */
function structural(schema: JSONSchema): void {
  if (schema.format === 'date-time') delete schema.pattern;
  if (schema.type === 'integer') {
    schema.format = 'int64';
    for (const bound of ['minimum', 'maximum'] as const) {
      const value = schema[bound];
      if (value !== undefined && (Math.abs(value) === Number.MAX_SAFE_INTEGER || limits32.includes(value))) Reflect.deleteProperty(schema, bound);
    }
  }
  if (schema.properties !== undefined && Object.keys(schema.properties).length === 0) delete schema.properties;
}

const resourceSchema = z.object({
  apiVersion: z.string().optional(),
  kind: z.string().optional(),
  metadata: z.object({}).optional(),
  spec: specSchema,
  status: statusSchema.optional(),
});

const columns = [
  {name: 'Cluster', type: 'string', jsonPath: '.spec.target.statefulSet', description: 'StatefulSet that runs etcd.'},
  {name: 'Phase', type: 'string', jsonPath: '.status.phase'},
  {name: 'Quorum', type: 'string', jsonPath: '.status.quorum.summary', description: 'Healthy voters of all voters.'},
  {name: 'Step', type: 'string', jsonPath: '.status.run.progress', description: 'Steps done of the steps of this run.'},
  {name: 'Survivor', type: 'string', jsonPath: '.status.run.plan.survivor'},
  {name: 'Reason', type: 'string', priority: 1, jsonPath: '.status.conditions[?(@.type=="Ready")].reason'},
  {name: 'Message', type: 'string', priority: 1, jsonPath: '.status.conditions[?(@.type=="Ready")].message'},
  {name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp'},
];

/** The CustomResourceDefinition, made from the zod schema: the one source of types, defaults and validation. */
export function customResourceDefinition(): object {
  const openAPIV3Schema = z.toJSONSchema(resourceSchema, {
    target: 'openapi-3.0', io: 'input', cycles: 'throw', reused: 'inline', unrepresentable: 'throw',
    override: ({jsonSchema}) => { structural(jsonSchema); },
  });
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: {name: `${plural}.${group}`, annotations: {'helm.sh/resource-policy': 'keep'}},
    spec: {
      group,
      scope: 'Namespaced',
      names: {plural, singular: 'quorumrecovery', kind, listKind: `${kind}List`, shortNames: ['qr']},
      versions: [{
        name: version, served: true, storage: true, subresources: {status: {}}, additionalPrinterColumns: columns,
        schema: {openAPIV3Schema},
      }],
    },
  };
}
