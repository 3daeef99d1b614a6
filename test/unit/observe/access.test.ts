import assert from 'node:assert/strict';
import {assess} from '../../../src/decide/assess.ts';
import {etcdView} from '../../../src/decide/watch/suspicion.ts';
import {EtcdError} from '../../../src/etcd/errors.ts';
import type {EtcdEndpoint, EtcdMember} from '../../../src/etcd/types.ts';
import {EtcdAccess} from '../../../src/observe/access.ts';
import type {Observation} from '../../../src/observe/observation.ts';
import {answers, clusterID, members, observationOf} from '../decide/observations.ts';

const auth = {username: 'root', password: 'right'};
const empty = new EtcdError('Unauthenticated', 'Status failed: etcdserver: user name is empty');

/** Three members with authentication on, as 3.5, 3.6 and 3.7 answer: nothing without a user, and without a quorum no user is let in. */
function members3({quorum}: {quorum: boolean}): {access: EtcdAccess; asked: string[]} {
  const asked: string[] = [];
  const connect = ({address, auth: shown}: EtcdEndpoint): EtcdMember => {
    const refusal = (): EtcdError | undefined => {
      asked.push(`${address} ${shown?.username ?? 'nobody'}`);
      if (shown === undefined) return empty;
      if (!quorum) return new EtcdError('Timeout', 'Authenticate failed: deadline exceeded');
      return shown.password === auth.password ? undefined : new EtcdError('Unauthenticated', 'Authenticate failed: authentication failed, invalid user ID or password');
    };
    const say = <T>(answer: T): Promise<T> => {
      const refused = refusal();
      return refused === undefined ? Promise.resolve(answer) : Promise.reject(refused);
    };
    const probe = answers(Number(address.at(-1)), 3, {leader: 'a0'});
    assert.ok(probe.kind === 'Answered');
    return {
      status: () => say(probe.status), memberList: () => say({clusterID, members: members(3)}), authEnabled: () => Promise.resolve(true), close: () => undefined,
    } as unknown as EtcdMember;
  };
  const access = new EtcdAccess({connect, peer: () => Promise.resolve({clusterID, members: members(3)})});
  return {access, asked};
}

async function observed(quorum: boolean, shown: typeof auth | undefined): Promise<{observation: Observation; asked: string[]}> {
  const {access, asked} = members3({quorum});
  const spec = shown === undefined ? {} : {target: {statefulSet: 'etcd', auth: {secretName: 'root'}}};
  try {
    return {asked, observation: await access.probe(observationOf({spec}), {tls: undefined, auth: shown, problem: undefined})};
  } finally {
    access.close();
  }
}

const verdict = (observation: Observation): string => {
  const assessed = assess(observation);
  return 'reason' in assessed ? `${assessed.kind} ${assessed.reason}: ${assessed.message}` : assessed.kind;
};

describe('whether a quorum serves', () => {
  const askedWith = async (leaders: readonly {leader: string; raftTerm?: number}[]): Promise<string[]> => {
    const asked: string[] = [];
    const access = new EtcdAccess({connect: ({address}) => {
      const probe = answers(Number(address.at(-1)), 3, leaders[Number(address.at(-1))]);
      assert.ok(probe.kind === 'Answered');
      return {
        status: () => Promise.resolve(probe.status), authEnabled: () => Promise.resolve(false), close: () => undefined,
        memberList: ({linearizable = false} = {}) => { if (linearizable) asked.push(address); return Promise.resolve({clusterID, members: members(3)}); },
      } as unknown as EtcdMember;
    }});
    await access.probe(observationOf(), {tls: undefined, auth: undefined, problem: undefined});
    access.close();
    return asked;
  };
  it('is asked of who leads, as a follower may be behind, and of the newest of two', async () => {
    assert.deepEqual(await askedWith([{leader: 'a2'}, {leader: 'a2'}, {leader: 'a2'}]), ['10.0.0.2']);
    assert.deepEqual(await askedWith([{leader: 'a0', raftTerm: 5}, {leader: 'a1', raftTerm: 6}, {leader: 'a1', raftTerm: 6}]), ['10.0.0.1']);
    assert.deepEqual(await askedWith([{leader: ''}, {leader: 'a9'}, {leader: 'a9'}]), ['10.0.0.1'], 'the leader does not answer');
  });
});

describe('members that want a user', () => {
  it('are asked with the one that the spec names, and are seen to be whole', async () => {
    const {observation, asked} = await observed(true, auth);
    assert.deepEqual(observation.ordinals.map(({probe}) => probe.kind), ['Answered', 'Answered', 'Answered']);
    assert.equal(observation.linearizable, true);
    assert.equal(observation.authEnabled, true);
    assert.equal(etcdView(observation).says, 'Serves');
    assert.equal(verdict(observation), 'not-needed');
    assert.ok(asked.includes('10.0.0.0 nobody'), 'the user was shown to a member that may want none');
  });

  it('tell nothing without one: neither that a quorum is lost nor that it serves', async () => {
    const {observation} = await observed(true, undefined);
    assert.equal(observation.authEnabled, true);
    assert.equal(etcdView(observation).says, 'Silent');
    assert.match(etcdView(observation).words, /^etcd-0, etcd-1, etcd-2 asks for a user, and spec\.target\.auth names none: /);
    assert.match(verdict(observation), /^blocked AuthRequired: etcd has authentication enabled \(etcd-0 says so\): set spec.target.auth/);
  });

  it('tell nothing to a wrong one either, which only a quorum refuses', async () => {
    const {observation} = await observed(true, {...auth, password: 'wrong'});
    assert.equal(etcdView(observation).says, 'Silent');
    assert.match(etcdView(observation).words, /does not take the user of spec\.target\.auth: /);
    assert.match(verdict(observation), /^blocked CredentialsRejected: etcd does not take the user and password of Secret db\/root \(spec.target.auth\): etcd-0: Authenticate failed/);
  });

  it('tell nothing to one without rights, by whatever it is known to them', async () => {
    const refuses = ({auth: shown}: EtcdEndpoint): EtcdMember => {
      const no = () => Promise.reject(shown?.password === 'right' ? empty : new EtcdError('PermissionDenied', 'Status failed: etcdserver: permission denied'));
      return {status: no, memberList: no, authEnabled: () => Promise.resolve(true), close: () => undefined} as unknown as EtcdMember;
    };
    const access = new EtcdAccess({connect: refuses, peer: () => Promise.resolve({clusterID, members: members(3)})});
    const spec = {target: {statefulSet: 'etcd', auth: {secretName: 'root'}}};
    const seen = async (shown: typeof auth) => await access.probe(observationOf({spec}), {tls: undefined, auth: shown, problem: undefined});
    const guest = await seen({...auth, password: 'of a guest'});
    assert.match(verdict(guest), /^blocked CredentialsRejected: .*permission denied/);
    assert.equal(etcdView(guest).says, 'Silent');
    assert.match(verdict(await seen(auth)), /user name is empty/, 'a certificate without rights was not followed by the user that the spec names');
    access.close();
  });

  it('that refuse while a quorum serves are no reason to doubt it', async () => {
    const {observation} = await observed(true, auth);
    const [first, second, third] = observation.ordinals;
    assert.ok(first && second && third);
    const ordinals = [first, second, {...third, probe: {kind: 'Failed' as const, error: 'PermissionDenied' as const, message: 'no', reached: true}}];
    assert.equal(verdict({...observation, ordinals}), 'not-needed');
  });

  it('let nobody in without a quorum, and that is one that is lost', async () => {
    const {observation} = await observed(false, auth);
    assert.deepEqual(observation.ordinals.map(({probe}) => probe.kind), ['PeerOnly', 'PeerOnly', 'PeerOnly']);
    assert.equal(observation.authEnabled, true);
    assert.equal(etcdView(observation).says, 'Lost');
    assert.equal(verdict(observation), 'inspect');
  });

  it('are not asked with a user where they answer without one', async () => {
    const access = new EtcdAccess({connect: ({address, auth: shown}) => {
      assert.equal(shown, undefined);
      const probe = answers(Number(address.at(-1)), 3, {leader: 'a0'});
      return {status: () => Promise.resolve(probe.kind === 'Answered' && probe.status), memberList: () => Promise.resolve({clusterID, members: members(3)}), authEnabled: () => Promise.resolve(false), close: () => undefined} as unknown as EtcdMember;
    }});
    const observation = await access.probe(observationOf({}), {tls: undefined, auth, problem: undefined});
    access.close();
    assert.equal(observation.linearizable, true);
    assert.equal(observation.authEnabled, false);
  });
});
