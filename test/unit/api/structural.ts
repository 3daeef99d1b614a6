/** A schema of a CRD, as the API server reads it (apiextensions.k8s.io/v1 JSONSchemaProps). */
export interface Schema {
  [keyword: string]: unknown;
  type?: string;
  properties?: Record<string, Schema>;
  items?: Schema;
  additionalProperties?: Schema;
  required?: string[];
  pattern?: string;
  maxLength?: number;
  maxItems?: number;
  enum?: unknown[];
  'x-kubernetes-validations'?: {rule: string; message?: string; fieldPath?: string}[];
}

/** JSONSchemaProps that a structural schema may hold; any other field is refused by a strict apply. */
const keywords = new Set([
  'type', 'format', 'description', 'title', 'default', 'example', 'nullable', 'enum', 'pattern', 'minLength', 'maxLength', 'minimum', 'maximum',
  'exclusiveMinimum', 'exclusiveMaximum', 'multipleOf', 'minItems', 'maxItems', 'minProperties', 'maxProperties', 'required', 'items', 'properties',
  'additionalProperties', 'x-kubernetes-validations', 'x-kubernetes-list-type', 'x-kubernetes-list-map-keys', 'x-kubernetes-map-type',
  'x-kubernetes-int-or-string', 'x-kubernetes-preserve-unknown-fields',
]);

const types = new Set(['object', 'array', 'string', 'integer', 'number', 'boolean']);

function patternProblem(pattern: string): string | undefined {
  // Go's RE2 has neither look-around nor back references.
  if (/\(\?[=!<]/.test(pattern) || /\\[1-9]/.test(pattern)) return 'a pattern that RE2 does not know';
  try {
    new RegExp(pattern, 'u');
    return undefined;
  } catch {
    return 'a pattern that does not compile';
  }
}

function keywordProblems(schema: Schema): string[] {
  const problems = Object.keys(schema).filter((key) => !keywords.has(key)).map((key) => `has ${key}, which is not structural`);
  const free = schema['x-kubernetes-int-or-string'] === true || schema['x-kubernetes-preserve-unknown-fields'] === true;
  if (!free && !types.has(schema.type ?? '')) problems.push(`has the type ${String(schema.type)}`);
  if (schema.properties !== undefined && schema.additionalProperties !== undefined) problems.push('has properties and additionalProperties');
  if (schema.type === 'array' && schema.items === undefined) problems.push('has no items');
  if (schema.format === 'date-time' && schema.pattern !== undefined) problems.push('has a pattern beside date-time');
  for (const name of schema.required ?? []) if (!(name in (schema.properties ?? {}))) problems.push(`requires ${name}, which it does not have`);
  const pattern = schema.pattern === undefined ? undefined : patternProblem(schema.pattern);
  return pattern === undefined ? problems : [...problems, `has ${pattern}: ${schema.pattern ?? ''}`];
}

/** Keys of a list map must be in every item. */
function listMapProblems(schema: Schema): string[] {
  if (schema['x-kubernetes-list-type'] !== 'map') return [];
  const keys = schema['x-kubernetes-list-map-keys'] as string[] | undefined ?? [];
  if (keys.length === 0) return ['is a list map without keys'];
  return keys.filter((key) => !(schema.items?.required ?? []).includes(key) && schema.items?.properties?.[key]?.['default'] === undefined)
    .map((key) => `is a list map whose key ${key} can be absent`);
}

const childrenOf = (schema: Schema): [string, Schema][] => [
  ...Object.entries(schema.properties ?? {}),
  ...(schema.items ? [['[]', schema.items] as [string, Schema]] : []),
  ...(schema.additionalProperties ? [['{}', schema.additionalProperties] as [string, Schema]] : []),
];

/** Every schema inside, itself first, with its path. */
export function walk(schema: Schema, path = ''): [string, Schema][] {
  return [[path, schema], ...childrenOf(schema).flatMap(([name, child]) => walk(child, name === '[]' || name === '{}' ? `${path}${name}` : `${path}.${name}`))];
}

/** A rule's cost is estimated by the greatest size of what it names: without bounds the API server refuses the CRD. */
function costProblems(schema: Schema): string[] {
  return (schema['x-kubernetes-validations'] ?? []).flatMap(({rule}) => {
    const named = new Set([...rule.matchAll(/\.([a-zA-Z]+)\b(?!\()/g)].map(([, name]) => name));
    return walk(schema).filter(([path, inner]) => named.has(/([a-zA-Z]+)$/.exec(path)?.[1] ?? '')
      && ((inner.type === 'string' && inner.maxLength === undefined && inner.enum === undefined) || (inner.type === 'array' && inner.maxItems === undefined)))
      .map(([path]) => `has a rule on ${path}, which has no greatest size`);
  });
}

/**
 * What the API server would refuse in a structural schema
 * (apiextensions-apiserver, pkg/apiserver/schema/validation.go), by path; empty when it is good.
 */
export const structuralProblems = (schema: Schema): string[] => walk(schema).flatMap(([path, inner]) =>
  [...keywordProblems(inner), ...listMapProblems(inner), ...costProblems(inner)].map((problem) => `${path === '' ? 'the root' : path} ${problem}`));
