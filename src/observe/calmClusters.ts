import {disturbance, isLeftBehind} from '../decide/watch/calm.ts';
import type {Answer} from '../decide/watch/calm.ts';
import {EtcdError, isEtcdError} from '../etcd/errors.ts';
import type {EtcdEndpoint, MemberStatus} from '../etcd/types.ts';
import type {WatchEnd} from '../etcd/leader-watch.ts';
import {firstLeaderless} from './leaderless.ts';

/** A member of a calm cluster, with its last answer. */
export interface CalmMember extends Answer {
  endpoint: EtcdEndpoint;
}

/** Why a cluster is not calm any more: its watch has ended, an answer, no answer, or its witness could not be written. */
export type CalmEnd = 'Watch' | 'Answer' | 'Silence' | 'Write';

export interface CalmOptions {
  /** Asks a member for its status, on its open connection if there is one. Rejects with an EtcdError. */
  ask: (endpoint: EtcdEndpoint, deadlineMs: number) => Promise<MemberStatus>;
  /** The watch over this cluster is open. */
  isWatched: (key: string) => boolean;
  /** Told of an answer that goes on from the last one; what it rejects with ends the calm. */
  onAnswer: (key: string, answers: readonly Answer[]) => Promise<void>;
  /** Told of the end, unless a full look made it: time for one. `leaderless`: this pod's member has had no leader for a while. */
  onEnd: (key: string, why: CalmEnd, message: string, leaderless?: string) => void;
  /** Monotonic ms. */
  now: () => number;
  sleep: (ms: number) => Promise<void>;
  random: () => number;
}

/** A member, and when its last answer came, monotonic ms. */
type Heard = CalmMember & {at: number};

interface Entry {
  members: Heard[];
  turn: number;
  /** Monotonic ms. */
  dueAt: number;
  fullBy: number;
  heardAt: number;
  asking: boolean;
}

/** How often a calm cluster is asked, one member in turn, ms. */
export const askEveryMs = 30_000;
/** How long it may go without a full look, ms; between three quarters of it and all of it, so that they spread. */
const fullEveryMs = 600_000;
/** Without an answer for so long it is not calm, whatever else is said of it, ms. */
const staleMs = 3 * askEveryMs;
/** A member that lacks what another one had so long ago, ms, is behind. */
const behindMs = 5_000;
/** Deadline of the first ask, ms, after which the others are asked too. */
const firstDeadlineMs = 2_000;
/** Deadline of the second, ms. The watch tells of what is urgent, so there is time for a process that gets no processor for a while. */
const askDeadlineMs = 5_000;
/** Not told in time by so much, ms, is nothing that the member has to answer for. */
const ownDelayMs = 500;

/** The clusters of which nothing is asked but one member in turn (docs/adr/0027), each from the full look that found it calm to the first doubt. */
export class CalmClusters {
  readonly #options: CalmOptions;
  readonly #entries = new Map<string, Entry>();

  constructor(options: CalmOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** For how long the ask has been due that is due longest, ms. */
  get lagMs(): number {
    const now = this.#options.now();
    let lag = 0;
    for (const {dueAt} of this.#entries.values()) lag = Math.max(lag, now - dueAt);
    return lag;
  }

  /**
   * A full look found the cluster calm, and these are its members, with what each of them answered in it. Without an open watch it is not.
   * @returns whether it is calm
   */
  enter(key: string, members: readonly CalmMember[]): boolean {
    const {now, random, isWatched} = this.#options;
    if (members.length === 0 || !isWatched(key)) return false;
    const at = now();
    this.#entries.set(key, {
      members: members.map((member) => ({...member, at})), turn: 0, asking: false, heardAt: at,
      // The first ask comes anywhere within the interval, so that those that came together do not stay together.
      dueAt: at + askEveryMs * random(), fullBy: at + fullEveryMs * (0.75 + 0.25 * random()),
    });
    return true;
  }

  /** A full look begins, or the cluster is not watched any more: it is calm no longer. */
  leave(key: string): void {
    this.#entries.delete(key);
  }

  /** Nothing speaks for a full look now: the watch is open, an answer is not long ago, and so is the last full look. */
  rests(key: string): boolean {
    const entry = this.#entries.get(key);
    if (entry === undefined || !this.#options.isWatched(key)) return false;
    const now = this.#options.now();
    return now < entry.fullBy && now - entry.heardAt < staleMs;
  }

  /** Clusters whose next ask is due, those that wait longest first. Asked ten times a second of a thousand of them: no list is made but of those. */
  due(): string[] {
    const now = this.#options.now();
    const found: {key: string; dueAt: number}[] = [];
    this.#entries.forEach(({dueAt, asking}, key) => { if (dueAt <= now && !asking) found.push({key, dueAt}); });
    return found.sort((a, b) => a.dueAt - b.dueAt).map(({key}) => key);
  }

  /** Asks the member whose turn it is. Any doubt ends the calm. */
  async ask(key: string): Promise<void> {
    const entry = this.#entries.get(key);
    if (entry === undefined || entry.asking) return;
    if (!this.#options.isWatched(key)) {
      this.#end(key, entry, 'Watch', 'its watch is not open');
      return;
    }
    entry.asking = true;
    try {
      const member = entry.members[entry.turn % entry.members.length];
      entry.turn += 1;
      if (member !== undefined) await this.#askOne(key, entry, member);
    } finally {
      entry.asking = false;
      entry.dueAt = this.#options.now() + askEveryMs;
    }
  }

  async #askOne(key: string, entry: Entry, member: Heard): Promise<void> {
    const answer = await this.#answerOf(key, entry, member);
    if (this.#entries.get(key) !== entry || answer === undefined) return;
    if (isEtcdError(answer)) {
      this.#end(key, entry, 'Silence', `${member.pod} does not answer: ${answer.message}`);
      return;
    }
    const why = disturbance(member.status, answer);
    if (why !== undefined) {
      const message = `${member.pod}: ${why}`;
      if (answer.leader === '') this.#endWith([member], key, 'Answer', message);
      else this.#end(key, entry, 'Answer', message);
      return;
    }
    const at = this.#options.now();
    const before = entry.members.filter((other) => other !== member && at - other.at >= behindMs).map(({status}) => status);
    if (isLeftBehind(answer, before)) {
      this.#end(key, entry, 'Answer', `${member.pod}: it has not applied what another member had ${behindMs / 1_000} s ago`);
      return;
    }
    Object.assign(member, {status: answer, at});
    entry.heardAt = at;
    try {
      await this.#options.onAnswer(key, entry.members);
    } catch (error) {
      this.#end(key, entry, 'Write', String(error));
    }
  }

  /** Silence counts the second time. undefined: this process stood still itself, and nothing can be said. */
  async #answerOf(key: string, entry: Entry, {pod, endpoint}: Heard): Promise<MemberStatus | EtcdError | undefined> {
    const first = await this.#once(endpoint, firstDeadlineMs);
    if (!isEtcdError(first)) return first;
    // The kernel probes no connection on which something is under way: if the watch is there, it breaks late.
    void firstLeaderless(entry.members.filter((other) => other.pod !== pod), this.#options).then((found) => {
      if (found !== undefined) this.#end(key, entry, 'Answer', `${found}: it has no leader, and ${pod} does not answer`, found);
    });
    const begun = this.#options.now();
    const second = await this.#once(endpoint, askDeadlineMs);
    return isEtcdError(second) && this.#options.now() - begun > askDeadlineMs + ownDelayMs ? undefined : second;
  }

  async #once(endpoint: EtcdEndpoint, deadlineMs: number): Promise<MemberStatus | EtcdError> {
    try {
      return await this.#options.ask(endpoint, deadlineMs);
    } catch (error) {
      if (isEtcdError(error)) return error;
      return new EtcdError('Other', String(error));
    }
  }

  #end(key: string, entry: Entry, why: CalmEnd, message: string, leaderless?: string): void {
    if (this.#entries.get(key) !== entry) return;
    this.#entries.delete(key);
    this.#options.onEnd(key, why, message, leaderless);
  }

  /**
   * The watch over the cluster has ended. Where its member said that there is no leader, that is told at once. Where it broke the others are
   * asked first, side by side: a full look would wait for those that went with it. What comes of it is told once, and within three seconds.
   * @returns false: the cluster was not calm, so that nothing is told here
   */
  watchEnded(key: string, pod: string, end: WatchEnd): boolean {
    const entry = this.#entries.get(key);
    if (entry === undefined) return false;
    if (end.kind === 'NoLeader') {
      this.#entries.delete(key);
      this.#options.onEnd(key, 'Watch', end.message, pod);
    } else this.#endWith(entry.members.filter((member) => member.pod !== pod), key, 'Watch', end.message);
    return true;
  }

  /** Ends the calm with what these say: whether one of them has no leader, and none a while later either. */
  #endWith(members: readonly CalmMember[], key: string, why: CalmEnd, message: string): void {
    this.#entries.delete(key);
    void firstLeaderless(members, this.#options).then((found) => { this.#options.onEnd(key, why, message, found); });
  }
}
