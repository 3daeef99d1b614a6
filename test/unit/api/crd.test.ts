import assert from 'node:assert/strict';
import {customResourceDefinition} from '../../../src/api/crd.ts';
import {rules} from '../../../src/api/rules.ts';
import {structuralProblems, walk} from './structural.ts';
import type {Schema} from './structural.ts';

interface Column {
  name: string;
  jsonPath: string;
  priority?: number;
}

const crd = customResourceDefinition() as {
  metadata: {name: string};
  spec: {
    names: {shortNames: string[]; categories?: string[]};
    versions: {schema: {openAPIV3Schema: Schema}; subresources: object; additionalPrinterColumns: Column[]}[];
  };
};
const version = crd.spec.versions[0];
const root = version?.schema.openAPIV3Schema ?? {};
const schemas = new Map(walk(root));

describe('the CustomResourceDefinition', () => {
  it('has a structural schema', () => {
    assert.deepEqual(structuralProblems(root), []);
  });

  it('restricts nothing of metadata', () => {
    assert.deepEqual(root.properties?.['metadata'], {type: 'object'});
  });

  it('has one version, with the status apart', () => {
    assert.equal(crd.spec.versions.length, 1);
    assert.deepEqual(version?.subresources, {status: {}});
    assert.deepEqual(crd.spec.names.shortNames, ['qr']);
    assert.equal(crd.metadata.name, 'quorumrecoveries.quorumrecovery.io');
  });

  it('requires nothing but the StatefulSet', () => {
    assert.deepEqual(root.required, ['spec']);
    assert.deepEqual(schemas.get('.spec')?.required, ['target']);
    assert.deepEqual(schemas.get('.spec.target')?.required, ['statefulSet']);
  });

  it('bounds every text and every list of the spec', () => {
    const unbounded = [...schemas].filter(([path, {type, maxLength, maxItems, enum: values, pattern}]) => path.startsWith('.spec')
      && ((type === 'string' && maxLength === undefined && values === undefined && pattern !== '^[0-9a-f]{1,16}$') || (type === 'array' && maxItems === undefined)));
    assert.deepEqual(unbounded.map(([path]) => path), []);
  });

  it('bounds what the admission policy goes through', () => {
    assert.equal(schemas.get('.status.heldPods')?.maxItems, 16);
    assert.equal(schemas.get('.status.history')?.maxItems, 10);
  });

  it('carries every rule of the table, each with its message', () => {
    const carried = [...schemas.values()].flatMap((schema) => schema['x-kubernetes-validations'] ?? []);
    assert.deepEqual(carried.map(({rule, message}) => [rule, message]).sort(), rules.map(({cel, message}) => [cel, message]).sort());
  });

  it('keys conditions by type and lost members by pod', () => {
    assert.deepEqual(schemas.get('.status.conditions')?.['x-kubernetes-list-map-keys'], ['type']);
    assert.deepEqual(schemas.get('.spec.lostMembers')?.['x-kubernetes-list-map-keys'], ['pod']);
  });

  it('shows columns that exist, the wide ones last but the age', () => {
    const columns = version?.additionalPrinterColumns ?? [];
    assert.deepEqual(columns.map(({name, priority}) => (priority === 1 ? name.toLowerCase() : name)), [
      'Cluster', 'Phase', 'Quorum', 'Step', 'Survivor', 'reason', 'message', 'Age',
    ]);
    for (const {jsonPath} of columns.filter(({jsonPath: path}) => path.startsWith('.s'))) {
      assert.ok(schemas.has(jsonPath.replace(/\[\?.*\]/, '[]')), jsonPath);
    }
  });
});

describe('the check for structural schemas', () => {
  const bad: [string, Schema, RegExp][] = [
    ['properties beside additionalProperties', {type: 'object', properties: {a: {type: 'string'}}, additionalProperties: {type: 'string'}}, /properties and additionalProperties/],
    ['a field without type', {type: 'object', properties: {a: {}}}, /\.a has the type undefined/],
    ['anyOf', {type: 'object', anyOf: [{type: 'object'}]}, /anyOf/],
    ['a list without items', {type: 'array'}, /no items/],
    ['look-around', {type: 'string', pattern: '^(?!x)'}, /RE2/],
    ['a required field that is not there', {type: 'object', required: ['a']}, /requires a/],
    ['a list map whose key may be absent', {type: 'array', 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['a'], items: {type: 'object', properties: {a: {type: 'string'}}}}, /key a/],
    ['a rule on a text without greatest size', {type: 'object', properties: {a: {type: 'string'}}, 'x-kubernetes-validations': [{rule: 'self.a == "x"'}]}, /\.a, which has no greatest size/],
  ];
  for (const [title, schema, problem] of bad) {
    it(`finds ${title}`, () => {
      assert.match(structuralProblems(schema).join('\n'), problem);
    });
  }
});
