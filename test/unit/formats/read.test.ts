import assert from 'node:assert/strict';
import {formats} from '../../../src/api/configuration.ts';
import type {Format} from '../../../src/api/configuration.ts';
import {hostsIn} from '../../../src/formats/hosts.ts';
import {isMalformed, read} from '../../../src/formats/read.ts';
import {unlikeSchema} from '../../../src/formats/schema.ts';

const problemOf = (format: Format, text: string) => {
  const found = read(format, Buffer.from(text));
  return isMalformed(found) ? found.problem : 'good';
};
const textsAt = (format: Format, text: string, at: string) => {
  const found = read(format, Buffer.from(text));
  assert.ok(!isMalformed(found));
  return found.texts(at);
};

describe('a value of the configuration', () => {
  const cases: readonly [Format, string, RegExp][] = [
    ['Text', 'anything: at {all', /good/],
    ['JSON', '{"a": [1, 2]}', /good/],
    ['JSON', '{"a": "geheim"\n "b": 1}', /^is not well-formed JSON \(line 2, column 2\)$/],
    ['JSON', '{"a": geheim}', /^is not well-formed JSON$/],
    ['JSON', '{"a": ', /^is not well-formed JSON/],
    ['JSON', '', /^is not well-formed JSON/],
    ['YAML', 'a:\n  - 1\n', /good/],
    ['YAML', 'a: 1\na: 2\n', /^is not well-formed YAML: DUPLICATE_KEY \(line 2, column 1\)$/],
    ['YAML', 'a: [geheim', /^is not well-formed YAML: \w+ \(line 1/],
    ['YAML', 'a: *geheim\n', /^is YAML whose aliases/],
    ['XML', '<?xml version="1.0"?>\n<ServiceProfile><InitialFilterCriteria/></ServiceProfile>', /good/],
    ['XML', '<a>\n<geheim></a>', /^is not well-formed XML \(line 2, column \d+\)$/],
    ['XML', '<a x="1" x="2"/>', /^is not well-formed XML/],
    ['XML', '<a>one & two</a>', /^is not well-formed XML/],
    ['XML', '', /^is not well-formed XML/],
    ['Properties', '# site\nservers=10.0.0.1,10.0.0.2\n\n[cluster]\nnode = a\n', /good/],
    ['Properties', 'servers=a\ngeheim\n', /^is not a list of properties \(line 2\): no key=value$/],
  ];
  for (const [format, text, expected] of cases) {
    it(`of ${format} is ${expected.source.includes('good') ? 'taken' : 'refused by its place, and nothing of it is quoted'}: ${JSON.stringify(text)}`, () => {
      const problem = problemOf(format, text);
      assert.match(problem, expected);
      assert.doesNotMatch(problem, /geheim/);
    });
  }

  it('that is not UTF-8 is refused in every format', () => {
    for (const format of formats) assert.deepEqual(read(format, Buffer.from([0xff, 0xfe])), {problem: 'is not UTF-8'});
  });

  it('names its members at a place: a JSON pointer, a property with its section, or all of it', () => {
    assert.deepEqual(textsAt('JSON', '{"a/b": {"servers": ["x", "y"]}}', '/a~1b/servers'), ['x', 'y']);
    assert.deepEqual(textsAt('JSON', '["x"]', ''), ['x']);
    assert.equal(textsAt('JSON', '{"servers": [1]}', '/servers'), undefined);
    assert.equal(textsAt('JSON', '{"servers": "x"}', '/constructor'), undefined);
    assert.deepEqual(textsAt('YAML', 'servers: x, y', '/servers'), ['x, y']);
    assert.deepEqual(textsAt('Properties', 'servers=x,y\n[cluster]\nnode = a\nnode = b\n', 'cluster.node'), ['a', 'b']);
    assert.equal(textsAt('Properties', 'servers=x', 'new_servers'), undefined);
    assert.deepEqual(textsAt('Text', 'x y', ''), ['x y']);
  });

  it('is taken apart into hosts, without name, scheme, port, path and last dot', () => {
    assert.deepEqual(hostsIn(['etcd-0=http://etcd-0.etcd:2380, https://ETCD-1.etcd.db.svc.cluster.local.:2379/v3;etcd-2', '[fd00::1]:2379 etcd-2:1']), ['etcd-0.etcd', 'etcd-1.etcd.db.svc.cluster.local', 'etcd-2', 'fd00::1']);
    assert.deepEqual(hostsIn(['']), []);
  });

  it('satisfies its JSON Schema or not, and of a Secret\'s value no key is told', () => {
    const schema = {type: 'object', required: ['servers'], properties: {servers: {type: 'array', items: {type: 'string'}}}};
    assert.equal(unlikeSchema(schema, {servers: ['a']}, true), undefined);
    assert.equal(unlikeSchema(schema, {servers: [1]}, true), 'does not satisfy its schema: /servers/0 must be string');
    assert.equal(unlikeSchema(schema, {servers: [1]}, false), 'does not satisfy its schema (type)');
    assert.match(unlikeSchema({$ref: 'https://example.com/schema.json'}, {}, true) ?? '', /^its schema cannot be used/);
    assert.match(unlikeSchema({type: 'no such type'}, {}, true) ?? '', /^its schema cannot be used/);
    assert.equal(unlikeSchema(false, {}, true), 'does not satisfy its schema: the value boolean schema is false');
  });
});
