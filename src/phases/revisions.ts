import type {V1Pod} from '@kubernetes/client-node';
import {marks} from '../api/types.ts';
import type {Outcome} from '../decide/decision.ts';
import {keptWhere} from '../decide/snapshots.ts';
import {isEtcdError} from '../etcd/errors.ts';
import type {EtcdMember} from '../etcd/types.ts';
import {compactBefore, settleAlarms, stillFull} from './alarms.ts';
import type {Acting} from './context.ts';
import {again, finished, memberIn, untilReady} from './context.ts';
import {aloneAndLeading} from './forcing.ts';

/** Revisions of one call: so often it is asked whether to go on. */
const slice = 5_000;
/** On a slow disk it ends where it is after this time, ms: clients wait. */
const limitMs = 30_000;

/** Where the revision is then. It only ever grows, so that whoever comes after a kill goes on from what he finds. */
async function advanceTo(acting: Acting, member: EtcdMember, from: number, target: number): Promise<number> {
  const end = acting.now() + limitMs;
  let revision = from;
  while (revision < target && acting.now() < end && !acting.signal.aborted) {
    ({revision} = await member.advance(marks.probeKey, Math.min(slice, target - revision)));
  }
  return revision;
}

/**
 * Moves the revision of the forced etcd past what clients of the old cluster may have seen, and ends every watch from before it. Where many clusters
 * are forced at the same moment they take turns.
 */
export async function moveRevision(acting: Acting, pod: V1Pod, target: number): Promise<Outcome> {
  const end = acting.heavy.begin();
  if (end === undefined) return again('the revision is moved on once those of other clusters are, two at a time', 250);
  try {
    return await moveNow(acting, pod, target);
  } finally {
    end();
  }
}

async function moveNow(acting: Acting, pod: V1Pod, target: number): Promise<Outcome> {
  const {run} = acting.observation.status;
  const survivor = run?.plan?.survivor ?? '';
  return await untilReady(60, async () => {
    const member = memberIn(acting, pod, survivor);
    const before = await member.status();
    const expected = run?.identity?.clusterID;
    if (expected !== undefined && before.clusterID !== expected) return again(`at the address of pod ${pod.metadata?.name ?? ''} another cluster answers (${before.clusterID})`, 1_000);
    const problem = await aloneAndLeading(member);
    if (problem) return again(problem, 100);
    const alarm = await settleAlarms(survivor, member, before);
    if (alarm) return alarm;
    let to: number;
    try {
      to = await advanceTo(acting, member, before.revision, target);
    } catch (error) {
      if (!isEtcdError(error, 'NoSpace')) throw error;
      // What was written is history that the next round compacts away, in the way it does with any full database.
      if ((await member.status()).revision > before.revision) return again('the database is full: compacting it before the revision is moved on', 0);
      return stillFull(survivor, keptWhere(run));
    }
    if (acting.signal.aborted) return again('this operator is not the leader any more', 1_000);
    await compactBefore(member, to, {inBackground: true});
    const move = run?.force?.move;
    const {from, why} = {from: move?.from ?? before.revision, why: move?.why ?? ''};
    const short = to < target;
    const proven = move?.proven === true && !short;
    const words = short ? `${why}. It got to ${to} of ${target} within ${limitMs / 1_000} s: this etcd writes slowly` : why;
    return finished(`one member, its own leader; revision moved from ${from} to ${to}, and the history before it compacted${proven ? '' : '. It is not proven that no client saw a later one'}`, (draft) => {
      if (draft.run?.force) draft.run.force = {...draft.run.force, revision: to};
      draft.dataLoss = {...draft.dataLoss, revisions: {from, to, proven, why: words}};
    });
  });
}
