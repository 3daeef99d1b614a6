import type {QuorumRecoveryStatus, Run} from '../../api/types.ts';
import type {Observation} from '../../observe/observation.ts';
import {highestForClients} from '../evidence/loss.ts';
import type {Refusal} from './preflight.ts';
import type {Candidate} from '../evidence/survivor.ts';
import {isServedSuperseded} from '../watch/witness.ts';

/** Revisions beyond the highest that was seen: a member that follows well is behind by what is under way, and 1,000 of them take a quarter of a second. */
export const baseMargin = 1_000;
/** The most that the revision is moved: about ten seconds on two busy processors (docs/adr/0026). */
export const maxMove = 50_000;
/** Revisions a second where the rate was not seen, because there was one look only. */
export const assumedPerSecond = 100;
/** A watch that saw the highest revision goes on with the next one, which has to be compacted as well. */
const beyondWatch = 2;

export type Move = NonNullable<NonNullable<Run['force']>['move']>;

const group = (count: number) => count.toLocaleString('en-US');

/** The highest revision that is known to exist anywhere. `from`: the survivor's, its tail included. */
function highestKnown(status: QuorumRecoveryStatus, from: number, survivor: string): number {
  const offline = status.run?.offline ?? [];
  const own = offline.find(({pod}) => pod === survivor)?.index;
  // Each log entry makes one revision at most.
  const longer = own === undefined ? [] : offline.map(({index = 0}) => from + Math.max(0, index - own));
  return Math.max(from, highestForClients(status), ...longer);
}

/** What was seen of the cluster while a quorum of it served, if it is this cluster. */
const servedOf = (status: QuorumRecoveryStatus) => (isServedSuperseded(status) ? undefined : status.lastServed);

/**
 * Where the revision has to be so that no client has seen it: past what was seen, and past what was written after the last look until
 * the old members were proven ended, which is now at the latest. Nobody saw that: twice the highest rate is taken for it.
 */
export function moveFor({status, spec, now}: Pick<Observation, 'status' | 'spec' | 'now'>, survivor: string, from: number, atMost = maxMove): Move {
  const known = highestKnown(status, from, survivor);
  const {minRevision} = spec;
  const told = minRevision !== undefined && minRevision >= known ? minRevision + beyondWatch : undefined;
  const served = servedOf(status);
  const ended = status.quorumEnded === undefined ? now : Math.min(now, Date.parse(status.quorumEnded.at));
  const seconds = Math.max(0, (ended - Date.parse(served?.at ?? '')) / 1_000);
  const rate = served?.perSecond ?? assumedPerSecond;
  const seen = served && Math.max(known + baseMargin, served.revision + Math.ceil(2 * rate * seconds) + baseMargin);
  const whySeen = served && `at ${served.at} a quorum served at revision ${served.revision}; added are ${group(baseMargin)}, and twice ${rate} a second (${served.perSecond === undefined ? 'assumed' : 'the most that was seen'}) for the ${Math.ceil(seconds)} s until the old members were proven ended`;
  const whyTold = told === undefined ? undefined : `spec.minRevision says that clients have seen up to ${minRevision ?? 0}`;
  const wanted = Math.max(seen ?? known + baseMargin, told ?? 0);
  const target = Math.min(wanted, from + atMost);
  const proven = told !== undefined && target >= told ? whyTold : target === wanted ? whySeen : undefined;
  if (proven !== undefined) return {from, target, proven: true, why: proven};
  const beyond = target === wanted ? '' : `. It would have to be ${wanted}, and more than ${group(maxMove)} revisions are not moved: that would keep clients out for long`;
  return {from, target, proven: false, why: `${whyTold ?? whySeen ?? `no quorum was seen to serve before, so how far clients had seen is not known: ${known} is the highest revision that was seen anywhere, and ${group(baseMargin)} are added`}${beyond}`};
}

/** A person's word that cannot be kept is refused while nothing has been touched. Seen after a run began it would only be told. */
export function revisionRefusal({spec: {minRevision}}: Observation, {pod, revision, from}: Candidate): Refusal | undefined {
  if (minRevision === undefined || from === 'unread' || minRevision + beyondWatch - revision <= maxMove) return undefined;
  return {reason: 'RevisionOutOfReach', message: `spec.minRevision is ${minRevision}, and ${pod} is at revision ${revision}: a force moves it on by ${group(maxMove)} at most, each by a write of its own. Nothing was touched. Take minRevision out and restart the clients that cache by revision afterwards, or restore a snapshot with etcdutl --bump-revision and --mark-compacted`};
}

/** Said of every force that cannot prove it. */
export const revisionsMayRepeat = 'It is not proven that no client saw a later revision, so numbers may come again with other content. Restart clients that cache by revision (Kubernetes API servers, anything with a long-lived watch)';

/** What the plan says of it. Without times: a plan that waits for approval is made again and again, and is to read the same. */
export function revisionNote({spec, status}: Observation, {pod, revision}: Candidate): string {
  const known = highestKnown(status, revision, pod);
  const {minRevision} = spec;
  const past = Math.max(known, minRevision ?? 0);
  const what = `before any client can reach the new cluster its revision is moved past what clients may have seen (beyond ${past}, by ${group(maxMove)} at most), and the history before is compacted: every older watch ends and its client lists again`;
  if (past + baseMargin - revision > maxMove) return `${what}. That is more than is moved. ${revisionsMayRepeat}`;
  return servedOf(status) !== undefined || (minRevision !== undefined && minRevision >= known) ? what : `${what}. No quorum was seen to serve before. ${revisionsMayRepeat}`;
}
