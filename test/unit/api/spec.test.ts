import assert from 'node:assert/strict';
import {brokenRules, rules} from '../../../src/api/rules.ts';
import {specSchema} from '../../../src/api/spec.ts';
import {specCases, updateCases} from './cases.ts';

/** What zod and the rules say against a spec; empty when it is good. */
function refusals(spec: unknown): string {
  const parsed = specSchema.safeParse(spec);
  if (!parsed.success) return parsed.error.issues.map(({path, message}) => `${path.join('.')}: ${message}`).join('; ');
  return brokenRules(parsed.data).join('; ');
}

describe('spec of a QuorumRecovery', () => {
  for (const {title, spec, refused} of specCases) {
    it(`${refused === undefined ? 'takes' : 'refuses'} ${title}`, () => {
      if (refused === undefined) assert.equal(refusals(spec), '');
      else assert.match(refusals(spec), refused);
    });
  }

  it('is good before and after each change that the API server judges', () => {
    for (const {title, before, after} of updateCases) assert.equal(refusals(before) + refusals(after), '', title);
  });

  it('has a case for each rule, of both kinds', () => {
    const messages = [...specCases.filter(({refused}) => refused !== undefined).map(({spec}) => refusals(spec))].join('\n');
    for (const rule of rules.filter(({holds}) => holds !== undefined)) assert.ok(messages.includes(rule.message), rule.message);
    for (const rule of rules.filter(({holds}) => holds === undefined)) assert.ok(updateCases.some(({refused}) => refused?.test(rule.message)), rule.message);
  });

  it('gets its defaults, all the way down', () => {
    assert.deepEqual(specSchema.parse({target: {statefulSet: 'etcd', tls: {secretName: 's'}, auth: {secretName: 'r'}}}), {
      target: {
        statefulSet: 'etcd',
        tls: {secretName: 's', caKey: 'ca.crt', certKey: 'tls.crt', keyKey: 'tls.key'},
        auth: {secretName: 'r', usernameKey: 'username', passwordKey: 'password'},
      },
      trigger: {type: 'Manual', gracePeriod: '10m', cooldown: '30m', maxAttempts: 3},
      approval: 'Automatic',
      paused: false,
      strategy: 'Auto',
      preserve: {mode: 'Copy', retention: '168h'},
      verification: {canaryKeys: [], restartProof: true, timeout: '10m'},
    });
  });

  it('passes over a field that a later version adds', () => {
    assert.deepEqual(specSchema.parse({target: {statefulSet: 'etcd', later: 1}, later: {a: 1}}), specSchema.parse({target: {statefulSet: 'etcd'}}));
  });
});
