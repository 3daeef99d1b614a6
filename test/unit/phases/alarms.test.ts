import assert from 'node:assert/strict';
import {EtcdError} from '../../../src/etcd/errors.ts';
import type {EtcdMember, MemberAlarm, MemberStatus} from '../../../src/etcd/types.ts';
import {settleAlarms} from '../../../src/phases/alarms.ts';

/** What was done to a member that has these alarms raised. */
async function settled(alarms: MemberAlarm[], more: Partial<EtcdMember> = {}): Promise<{done: string[]; outcome: string | undefined}> {
  const done: string[] = [];
  const say = (what: string) => { done.push(what); return Promise.resolve(); };
  const member = {
    alarms: () => Promise.resolve(alarms), compact: (revision: number) => say(`compact ${revision}`), defragment: () => say('defragment'),
    disarm: ({alarm, memberID}: MemberAlarm) => say(`disarm ${alarm} of ${memberID}`), ...more,
  } as EtcdMember;
  const outcome = await settleAlarms('etcd-0', member, {memberID: 'a0', revision: 7} as MemberStatus);
  return {done, outcome: outcome && ('reason' in outcome ? outcome.reason : outcome.kind)};
}

describe('alarms in the forced start', () => {
  it('nothing is done where none is raised', async () => { assert.deepEqual(await settled([]), {done: [], outcome: undefined}); });
  it('a full database is compacted to the newest revision, defragmented and disarmed, in this order', async () => {
    assert.deepEqual(await settled([{memberID: 'a0', alarm: 'NOSPACE'}]), {done: ['compact 7', 'defragment', 'disarm NOSPACE of a0'], outcome: undefined});
  });
  it('a repeat finds the history compacted and goes on', async () => {
    const compact = () => Promise.reject(new EtcdError('Compacted', 'required revision has been compacted'));
    assert.deepEqual((await settled([{memberID: 'a0', alarm: 'NOSPACE'}], {compact})).done, ['defragment', 'disarm NOSPACE of a0']);
  });
  it('it is the same where a lost member was the first to say that its database is full', async () => {
    assert.deepEqual((await settled([{memberID: 'a1', alarm: 'NOSPACE'}])).done, ['compact 7', 'defragment', 'disarm NOSPACE of a1']);
  });
  it('that a lost member was corrupt is disarmed, and this database is left as it is', async () => {
    assert.deepEqual(await settled([{memberID: 'a2', alarm: 'CORRUPT'}]), {done: ['disarm CORRUPT of a2'], outcome: undefined});
  });
  it('a corrupt survivor is refused, and nothing is disarmed', async () => {
    assert.deepEqual(await settled([{memberID: 'a1', alarm: 'NOSPACE'}, {memberID: 'a0', alarm: 'CORRUPT'}]), {done: [], outcome: 'AlarmRaised'});
  });
});
