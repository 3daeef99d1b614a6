import assert from 'node:assert/strict';
import {compareVersions, forceSupport, isKnownVersion, parseVersion, versionOfImage} from '../../../src/etcd/versions.ts';

describe('forceSupport', () => {
  const cases: [version: string, supported: boolean, leavesLearners: boolean, why: RegExp][] = [
    ['3.4.45', false, true, /never fixed in 3\.4/],
    ['3.5.0', false, true, /fixed in 3\.5\.22/],
    ['3.5.21', false, true, /fixed in 3\.5\.22/],
    ['3.5.22', true, true, /learner.*3\.5\.25/],
    ['3.5.25', true, false, /can be forced$/],
    ['3.5.35', true, false, /can be forced$/],
    ['3.6.0-rc.1', false, true, /fixed in 3\.6\.1/],
    ['3.6.0', false, true, /fixed in 3\.6\.1/],
    ['3.6.1', true, true, /3\.6\.6/],
    ['v3.6.16', true, false, /can be forced$/],
    ['3.7.0-rc.0', true, false, /can be forced$/],
    ['3.7.3', true, false, /can be forced$/],
    ['3.8.0', false, true, /not known/],
    ['4.0.0', false, true, /not known/],
    ['latest', false, true, /no etcd version/],
  ];
  for (const [version, supported, leavesLearners, why] of cases) {
    it(`${supported ? 'trusts' : 'does not trust'} ${version}`, () => {
      const support = forceSupport(version);
      assert.deepEqual([support.supported, support.leavesLearners], [supported, leavesLearners]);
      assert.match(support.why, why);
    });
  }
});

describe('versions', () => {
  it('are read from what etcd says and from image tags', () => {
    assert.deepEqual(parseVersion('3.6.0-alpha.0'), {major: 3, minor: 6, patch: 0, preRelease: 'alpha.0'});
    assert.equal(parseVersion('3.6'), undefined);
    assert.deepEqual(versionOfImage('registry.k8s.io:443/etcd:3.6.5-0@sha256:ab'), {major: 3, minor: 6, patch: 5, preRelease: undefined});
    assert.equal(versionOfImage('quay.io/coreos/etcd:v3.6.0-rc.3')?.preRelease, 'rc.3');
    assert.equal(versionOfImage('localhost:5000/etcd'), undefined);
    assert.equal(versionOfImage('etcd:latest'), undefined);
  });

  it('are ordered, a pre-release before its release', () => {
    const sorted = ['3.6.0', '3.5.22', '3.6.0-rc.1', '3.5.3', '3.10.0'].map(text => ({text, version: parseVersion(text)}))
      .sort((a, b) => (a.version === undefined || b.version === undefined ? 0 : compareVersions(a.version, b.version))).map(({text}) => text);
    assert.deepEqual(sorted, ['3.5.3', '3.5.22', '3.6.0-rc.1', '3.6.0', '3.10.0']);
    assert.ok(isKnownVersion({major: 3, minor: 4, patch: 0, preRelease: undefined}));
    assert.ok(!isKnownVersion({major: 3, minor: 8, patch: 0, preRelease: undefined}));
  });
});
