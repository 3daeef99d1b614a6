import assert from 'node:assert/strict';
import {classify, clientClosed, isConnectionFailure} from '../../../src/etcd/classify.ts';
import type {EtcdErrorKind} from '../../../src/etcd/errors.ts';
import {decimalID, hexID, toAlarms, toMemberStatus, toNumber} from '../../../src/etcd/messages.ts';

const noConnection = (text: string): string => `No connection established. Last error: ${text} (2026-11-22T05:43:33.437Z). Resolution note: `;

describe('classify', () => {
  const cases: [code: number, details: string, kind: EtcdErrorKind][] = [
    [14, noConnection('connect ECONNREFUSED 127.0.0.1:1'), 'Unreachable'],
    [14, 'Name resolution failed for target dns:x', 'Unreachable'],
    [14, 'etcdserver: server stopped', 'Unreachable'],
    [4, 'Deadline exceeded after 1.001s,LB pick: 0.001s,remote_addr=127.0.0.1:1', 'Timeout'],
    [14, 'etcdserver: request timed out', 'Timeout'],
    [14, 'etcdserver: request timed out, possibly due to connection lost', 'Timeout'],
    [2, 'context deadline exceeded', 'Timeout'],
    [1, 'Call cancelled', 'Timeout'],
    [1, clientClosed, 'Other'],
    [14, 'etcdserver: no leader', 'NoLeader'],
    [14, 'etcdserver: leader changed', 'NoLeader'],
    [14, 'etcdserver: unhealthy cluster', 'Unhealthy'],
    [9, 'etcdserver: re-configuration failed due to not enough started members', 'Unhealthy'],
    [14, 'etcdserver: something that only time can tell', 'Unhealthy'],
    [9, 'etcdserver: can only promote a learner member which is in sync with leader', 'NotReady'],
    [11, 'etcdserver: mvcc: required revision is a future revision', 'NotReady'],
    [11, 'etcdserver: mvcc: required revision has been compacted', 'Compacted'],
    [9, 'etcdserver: too many learner members in cluster', 'TooManyLearners'],
    [9, 'etcdserver: member ID already exist', 'MemberExists'],
    [9, 'etcdserver: Peer URLs already exists', 'MemberExists'],
    [5, 'etcdserver: member not found', 'NotFound'],
    [7, 'etcdserver: permission denied', 'PermissionDenied'],
    [3, 'etcdserver: user name is empty', 'Unauthenticated'],
    [3, 'etcdserver: authentication failed, invalid user ID or password', 'Unauthenticated'],
    [16, 'etcdserver: invalid auth token', 'Unauthenticated'],
    [9, 'etcdserver: rpc not supported for learner', 'LearnerRefused'],
    [14, 'etcdserver: rpc not supported for learner', 'LearnerRefused'],
    [14, noConnection('unable to verify the first certificate'), 'Certificate'],
    [14, noConnection('certificate has expired'), 'Certificate'],
    [14, noConnection('Hostname/IP does not match certificate\'s altnames: Host: a. is not in the cert\'s altnames'), 'Certificate'],
    [14, noConnection('00:error:0A000418:SSL routines:ssl3_read_bytes:tlsv1 alert unknown ca:SSL alert number 48'), 'Certificate'],
    [14, noConnection('Failed to connect'), 'Unreachable'],
    [8, 'etcdserver: mvcc: database space exceeded', 'NoSpace'],
    [8, 'etcdserver: too many requests', 'Other'],
    [12, 'unknown service', 'Other'],
  ];
  for (const [code, details, kind] of cases) {
    it(`takes "${details}" for ${kind}`, () => { assert.equal(classify({code, details}), kind); });
  }

  it('knows a failed connection from an answer that happens to have the same code', () => {
    assert.ok(isConnectionFailure({code: 14, details: noConnection('x')}));
    assert.ok(isConnectionFailure({code: 4, details: 'Deadline exceeded'}));
    assert.ok(!isConnectionFailure({code: 14, details: 'etcdserver: unhealthy cluster'}));
    assert.ok(!isConnectionFailure({code: 9, details: 'x'}));
  });
});

describe('etcd\'s messages', () => {
  it('have IDs as lower-case hex without leading zeros, both ways', () => {
    assert.equal(hexID('10276657743932975437'), '8e9e05c52164694d');
    assert.equal(decimalID('8e9e05c52164694d'), '10276657743932975437');
    assert.equal(hexID('255'), 'ff');
  });

  it('have no numbers that a double cannot hold', () => {
    assert.equal(toNumber('9007199254740991'), Number.MAX_SAFE_INTEGER);
    assert.throws(() => toNumber('9007199254740993'), /9007199254740993/);
  });

  it('name no leader as the empty string, and alarms by their etcd names', () => {
    const header = {cluster_id: '1', member_id: '2', revision: '3', raft_term: '4'};
    const status = toMemberStatus({header, version: '3.6.16', dbSize: '1', leader: '0', raftIndex: '5', raftTerm: '6', raftAppliedIndex: '7', errors: [], isLearner: false});
    assert.equal(status.leader, '');
    assert.throws(() => toAlarms({alarms: [{memberID: '17', alarm: 'Other'}]}), /unknown type: OTHER/);
    assert.deepEqual(toAlarms({alarms: [{memberID: '17', alarm: 'Nospace'}, {memberID: '18', alarm: 2}, {memberID: '19', alarm: 'None'}]}),
      [{memberID: '11', alarm: 'NOSPACE'}, {memberID: '12', alarm: 'CORRUPT'}]);
  });
});
