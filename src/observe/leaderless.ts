import type {EtcdEndpoint, MemberStatus} from '../etcd/types.ts';

export interface Member {
  pod: string;
  endpoint: EtcdEndpoint;
}

export interface Asking {
  /** Asks a member for its status. Rejects where it does not answer. */
  ask: (endpoint: EtcdEndpoint, deadlineMs: number) => Promise<MemberStatus>;
  sleep: (ms: number) => Promise<void>;
}

/** Deadline of an ask where the watch has just broken, ms. */
const quickDeadlineMs = 1_000;
/** A member that has no leader after this time either is not one between two leaders, ms. */
const electionMs = 900;
/** How long a full look waits at most for what these say, ms. */
const othersMs = 3_000;

/** The first of these members, asked side by side, that has no leader now and a while later; undefined: none within the time that a full look can wait. */
export async function firstLeaderless(members: readonly Member[], {ask, sleep}: Asking): Promise<string | undefined> {
  const found = Promise.withResolvers<string | undefined>();
  const hasNone = async ({endpoint}: Member): Promise<boolean> => await ask(endpoint, quickDeadlineMs).then(({leader}) => leader === '', () => false);
  const all = members.map(async (member) => {
    if (!await hasNone(member)) return;
    await sleep(electionMs);
    if (await hasNone(member)) found.resolve(member.pod);
  });
  void Promise.allSettled(all).then(() => { found.resolve(undefined); });
  return await Promise.race([found.promise, sleep(othersMs).then(() => undefined)]);
}
