import type {V1Pod} from '@kubernetes/client-node';
import {isReachable} from '../etcd/reach.ts';
import {isEtcdError} from '../etcd/errors.ts';
import type {EtcdError, EtcdErrorKind} from '../etcd/errors.ts';
import type {Launch} from '../etcd/launch/launch.ts';
import {probePeer} from '../etcd/peer.ts';
import {MemberPool} from '../etcd/pool.ts';
import type {LeaderWatch, WatchHeard} from '../etcd/leader-watch.ts';
import type {ConnectMember, EtcdEndpoint, EtcdMember, MemberStatus} from '../etcd/types.ts';
import {isGated} from '../kubernetes/ownPods.ts';
import {clientAddress, urlOf} from './address.ts';
import type {Credentials} from './credentials.ts';
import type {Observation, OrdinalView, Probe} from './observation.ts';
import {isLaunch, isServing} from './observation.ts';
import {compareData} from './sameData.ts';

/** Deadline of one question to one member, ms: a silent member must not hold up the others. */
const probeDeadlineMs = 1_000;
/** A deadline that was noticed so much later than it passed, ms, says that this process itself got no processor. */
const ownDelayMs = 250;
/** Deadline of an act or a proof, ms. */
const actDeadlineMs = 3_000;

/** Where a pod's etcd serves clients: its IP and port; over TLS under the name that it advertises, which its certificate carries. */
export function endpointOf(pod: V1Pod, launch: Launch, credentials: Credentials): EtcdEndpoint {
  const {port, serverName} = clientAddress(launch);
  return {
    address: pod.status?.podIP ?? '',
    port,
    ...(launch.clientTLS && {tls: {...credentials.tls, ...(serverName !== undefined && {serverName})}}),
    ...(credentials.auth && {auth: credentials.auth}),
  };
}

/** Why a pod's etcd is not asked at all; undefined: it is. */
function silent(observation: Observation, view: OrdinalView): string | undefined {
  const {object} = view;
  if (object === undefined) return 'the pod does not exist';
  if (isGated(object)) return 'the pod is held';
  const node = observation.nodes.find((candidate) => candidate.name === object.spec?.nodeName);
  if (object.spec?.nodeName === undefined) return 'the pod is not scheduled';
  if (node === undefined) return `its node ${object.spec.nodeName} is deleted`;
  if (!isLaunch(view.launch)) return view.launch.message;
  const {container} = view.launch;
  const running = object.status?.containerStatuses?.some((status) => status.name === container && status.state?.running !== undefined);
  return running && object.status?.podIP ? undefined : 'its etcd does not run';
}

/** What a member said, and whether it says nothing to one without a user. */
interface Asked {
  probe: Probe;
  wantsUser: boolean;
}

/** How members are reached; the simulation puts its own in the place of the network. */
export interface EtcdNetwork {
  connect?: ConnectMember;
  peer?: typeof probePeer;
  reach?: typeof isReachable;
  /** Told of every question to a member after it ended, for the metrics. */
  onProbe?: (probe: ProbeObservation) => void;
  /** Monotonic, ms. */
  now?: () => number;
}

export interface ProbeObservation {
  result: 'Answered' | 'PeerOnly' | 'Failed';
  /** Why the member did not answer clients. */
  cause?: EtcdErrorKind;
  seconds: number;
}

/** The word of a peer port whose own certificate's time is over, or has not come. Others of its words can be about the operator's certificate. */
const outlived = /the member's certificate (has expired|is not valid yet)/;

/**
 * The member to ask whether a quorum serves: who leads, by the newest term, as a follower that is behind would have to catch up first. Where the
 * leader does not answer, the first that names one.
 */
function leaderAmong(ordinals: readonly OrdinalView[]): OrdinalView | undefined {
  const naming = ordinals.flatMap((view) => (view.probe.kind === 'Answered' && isServing(view.probe.status) ? [{view, status: view.probe.status}] : []));
  const [leader] = naming.filter(({status}) => status.memberID === status.leader).sort((a, b) => b.status.raftTerm - a.status.raftTerm);
  return (leader ?? naming[0])?.view;
}

/** Connections to members, kept and shared. */
export class EtcdAccess {
  readonly #probes: MemberPool;
  readonly #acts: MemberPool;
  readonly #peer: typeof probePeer;
  readonly #reach: typeof isReachable;
  readonly #onProbe: EtcdNetwork['onProbe'];
  readonly #now: () => number;

  constructor({connect, peer, reach, onProbe, now}: EtcdNetwork = {}) {
    this.#onProbe = onProbe;
    this.#now = now ?? (() => performance.now());
    this.#probes = new MemberPool({deadlineMs: probeDeadlineMs, ...(connect && {connect})});
    this.#acts = new MemberPool({deadlineMs: actDeadlineMs, ...(connect && {connect})});
    this.#peer = peer ?? probePeer;
    // Who brings a network of its own without this has none in which an address is cut off.
    this.#reach = reach ?? (connect === undefined ? isReachable : async () => await Promise.resolve(true));
  }

  close(): void {
    this.#probes.close();
    this.#acts.close();
  }

  #secondsSince(begun: number): number {
    return (this.#now() - begun) / 1000;
  }

  /** Asks once more where the time was over because this process stood still: the answer may have been there. */
  async #heard<T>(ask: () => Promise<T>): Promise<T> {
    const begun = this.#now();
    try {
      return await ask();
    } catch (error) {
      if (isEtcdError(error, 'Timeout') && this.#now() - begun > probeDeadlineMs + ownDelayMs) return await ask();
      throw error;
    }
  }

  /** A client for acts and proofs on the etcd in a pod. */
  member(pod: V1Pod, launch: Launch, credentials: Credentials): EtcdMember {
    return this.#acts.member(endpointOf(pod, launch, credentials));
  }

  /** Asks a member for its status alone, and keeps no connection for it. Rejects with an EtcdError. */
  async status(endpoint: EtcdEndpoint, deadlineMs: number): Promise<MemberStatus> {
    const begun = this.#now();
    try {
      const status = await this.#probes.member(endpoint).status({deadlineMs});
      this.#onProbe?.({result: 'Answered', seconds: this.#secondsSince(begun)});
      return status;
    } catch (error) {
      if (isEtcdError(error)) this.#onProbe?.({result: 'Failed', cause: error.kind, seconds: this.#secondsSince(begun)});
      throw error;
    } finally {
      this.#probes.release(endpoint);
    }
  }

  /** Watches for the loss of a member's leader, on the connection that it is asked on. */
  watchLeader(endpoint: EtcdEndpoint, heard: WatchHeard): LeaderWatch {
    return this.#probes.member(endpoint).watchLeader(heard);
  }

  /** These members are not asked again soon: connections that nothing uses are closed. */
  release(endpoints: readonly EtcdEndpoint[]): void {
    for (const endpoint of endpoints) this.#probes.release(endpoint);
  }

  /**
   * Asked without a user first: with one, a member without quorum would only hang. Where authentication is on etcd answers nothing without
   * (3.5.35, 3.6.16 and 3.7.3 refuse even Status), and only a quorum lets the user in.
   */
  async #ask(view: OrdinalView, launch: Launch, given: Credentials): Promise<Asked> {
    const pod = view.object ?? {};
    const begun = this.#now();
    const anonymous = await this.#answer(pod, launch, {...given, auth: undefined});
    const wantsUser = isEtcdError(anonymous, 'Unauthenticated', 'PermissionDenied');
    const answer = wantsUser && given.auth !== undefined ? await this.#answer(pod, launch, given) : anonymous;
    const seconds = this.#secondsSince(begun);
    if (!isEtcdError(answer)) {
      this.#onProbe?.({result: 'Answered', seconds});
      return {wantsUser, probe: answer};
    }
    const probe = await this.#silent(pod, launch, given, answer);
    this.#onProbe?.({result: probe.kind === 'PeerOnly' ? 'PeerOnly' : 'Failed', cause: answer.kind, seconds});
    return {wantsUser, probe};
  }

  async #answer(pod: V1Pod, launch: Launch, credentials: Credentials): Promise<Probe | EtcdError> {
    const member = this.#probes.member(endpointOf(pod, launch, credentials));
    try {
      return await this.#heard(async () => {
        const begun = this.#now();
        const [status, {clusterID, members}] = await Promise.all([member.status(), member.memberList()]);
        return {kind: 'Answered', status, clusterID, members, tookMs: this.#now() - begun};
      });
    } catch (error) {
      if (isEtcdError(error)) return error;
      throw error;
    }
  }

  async #silent(pod: V1Pod, launch: Launch, credentials: Credentials, error: EtcdError): Promise<Probe> {
    const asksPeer = ['Timeout', 'NoLeader', 'Unauthenticated', 'PermissionDenied'].includes(error.kind);
    const peer = asksPeer ? await this.#askPeer(pod, launch, credentials, error) : undefined;
    if (peer !== undefined && !isEtcdError(peer)) return peer;
    // Peers that refuse one another's certificates find no leader: that is why a member serves nobody.
    const cause = peer !== undefined && outlived.test(peer.message) ? `. ${peer.message}` : '';
    const silent = error.kind === 'Timeout' || error.kind === 'Unreachable';
    const {address, port} = endpointOf(pod, launch, credentials);
    return {kind: 'Failed', error: error.kind, message: `${error.message}${cause}`, reached: !silent || await this.#reach(address, port)};
  }

  /** A member that was restarted without quorum serves no client; its peer port still names the membership. */
  async #askPeer(pod: V1Pod, launch: Launch, credentials: Credentials, {kind, message}: EtcdError): Promise<Probe | EtcdError> {
    const url = urlOf(launch.listenPeerURLs);
    const tls = launch.peerTLS && {...credentials.tls, serverName: urlOf(launch.initialAdvertisePeerURLs)?.hostname ?? ''};
    try {
      const {clusterID, members} = await this.#peer(pod.status?.podIP ?? '', Number(url?.port || 2380), tls, {timeoutMs: probeDeadlineMs});
      return {kind: 'PeerOnly', clusterID, members, error: kind, message};
    } catch (error) {
      if (isEtcdError(error)) return error;
      throw error;
    }
  }

  /** Asks every member of the set that may answer, side by side, and whether a quorum serves. */
  async probe(observation: Observation, given: Credentials, only?: readonly string[]): Promise<Observation> {
    const asked = await Promise.all(observation.ordinals.map(async (view): Promise<{view: OrdinalView; wantsUser: boolean}> => {
      const why = only?.includes(view.pod) === false ? 'not asked in this step' : silent(observation, view);
      if (why !== undefined || !isLaunch(view.launch)) return {wantsUser: false, view: {...view, probe: {kind: 'NotAsked', why: why ?? ''}}};
      const {wantsUser, probe} = await this.#ask(view, view.launch, given);
      return {wantsUser, view: {...view, probe}};
    }));
    const ordinals = asked.map(({view}) => view);
    const wantsUser = asked.some((one) => one.wantsUser);
    const credentials = wantsUser ? given : {...given, auth: undefined};
    const leading = leaderAmong(ordinals);
    const first = leading ?? ordinals.find((view) => view.probe.kind === 'Answered');
    const [linearizable, authEnabled] = await Promise.all([
      leading ? this.#linearizable(leading, credentials) : false,
      first && !wantsUser ? this.#authEnabled(first, credentials) : undefined,
    ]);
    const unsettled = linearizable && observation.status.regression !== undefined && only === undefined;
    const dataCompared = unsettled ? await compareData(ordinals, ({object, launch}) => (object !== undefined && isLaunch(launch) ? this.member(object, launch, credentials) : undefined)) : undefined;
    return {...observation, ordinals, linearizable, dataCompared, authEnabled: wantsUser ? true : authEnabled};
  }

  async #linearizable(view: OrdinalView, credentials: Credentials): Promise<boolean> {
    if (view.object === undefined || !isLaunch(view.launch)) return false;
    try {
      const member = this.#probes.member(endpointOf(view.object, view.launch, credentials));
      await this.#heard(() => member.memberList({linearizable: true}));
      return true;
    } catch (error) {
      if (isEtcdError(error)) return false;
      throw error;
    }
  }

  async #authEnabled(view: OrdinalView, credentials: Credentials): Promise<boolean | undefined> {
    if (view.object === undefined || !isLaunch(view.launch)) return undefined;
    try {
      return await this.#probes.member(endpointOf(view.object, view.launch, credentials)).authEnabled();
    } catch (error) {
      if (isEtcdError(error)) return undefined;
      throw error;
    }
  }
}
