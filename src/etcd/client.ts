import {certificateReason, classify} from './classify.ts';
import type {RpcFailure} from './classify.ts';
import {hostAndPort} from './channel.ts';
import {Connection} from './connection.ts';
import type {Outcome, Service} from './connection.ts';
import {diagnose} from './diagnose.ts';
import {EtcdError, isEtcdError} from './errors.ts';
import {watchLeader} from './leader-watch.ts';
import type {LeaderWatch, WatchHeard} from './leader-watch.ts';
import {decimalID, hexID, toAlarms, toListedMember, toMemberStatus, toNumber} from './messages.ts';
import type {AlarmResponse, HashResponse, Header, MemberListResponse, RangeResponse, StatusMessage, MemberMessage, TxnResponse} from './messages.ts';
import type {ConnectMember, EtcdEndpoint, EtcdMember, ListedMember, MemberAlarm, MemberStatus} from './types.ts';

const defaultDeadlineMs = 5_000;
/** For what takes as long as the database is large. */
const longDeadlineMs = 300_000;
/** Writes of `advance` under way at once: measured, more are not faster (docs/adr/0026). */
const putsAtOnce = 256;

/** Nothing listens or nothing can be found there, so that there is nobody to shake hands with. */
const noRoute = /ECONNREFUSED|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|EAI_AGAIN|Name resolution failed/;

interface Call {
  service: Service;
  method: string;
  payload?: object;
  /** The member answers it alone: asked without a token first, because Authenticate needs a quorum. */
  local?: boolean;
  /** In the place of the client's own. */
  deadlineMs?: number;
}

class Client implements EtcdMember {
  readonly #endpoint: EtcdEndpoint;
  readonly #deadlineMs: number;
  readonly #connection: Connection;
  #token: string | undefined;

  constructor(endpoint: EtcdEndpoint, deadlineMs: number) {
    this.#endpoint = endpoint;
    this.#deadlineMs = deadlineMs;
    this.#connection = new Connection(endpoint);
  }

  async status(options: {deadlineMs?: number} = {}): Promise<MemberStatus> {
    return toMemberStatus(await this.#call<StatusMessage>({service: 'Maintenance', method: 'Status', local: true, ...options}));
  }

  async memberList(options: {linearizable?: boolean} = {}): Promise<{clusterID: string; members: ListedMember[]}> {
    const linearizable = options.linearizable ?? false;
    const response = await this.#call<MemberListResponse>({
      service: 'Cluster', method: 'MemberList', payload: {linearizable}, local: !linearizable,
    });
    return {clusterID: hexID(response.header.cluster_id), members: response.members.map(toListedMember)};
  }

  async get(key: string, options: {serializable?: boolean} = {}): Promise<{value: Buffer | undefined; revision: number}> {
    const serializable = options.serializable ?? false;
    const response = await this.#call<RangeResponse>({
      service: 'KV', method: 'Range', payload: {key: Buffer.from(key), serializable}, local: serializable,
    });
    return {value: response.kvs[0]?.value, revision: toNumber(response.header.revision)};
  }

  async put(key: string, value: string): Promise<{revision: number}> {
    const payload = {key: Buffer.from(key), value: Buffer.from(value)};
    const response = await this.#call<{header: Header}>({service: 'KV', method: 'Put', payload});
    return {revision: toNumber(response.header.revision)};
  }

  async putAll(entries: readonly {key: Buffer; value: Buffer}[]): Promise<void> {
    const success = entries.map(({key, value}) => ({request_put: {key, value}}));
    await this.#call({service: 'KV', method: 'Txn', payload: {compare: [], success, failure: []}});
  }

  async getAll(keys: readonly Buffer[]): Promise<(Buffer | undefined)[]> {
    const success = keys.map((key) => ({request_range: {key}}));
    const response = await this.#call<TxnResponse>({service: 'KV', method: 'Txn', payload: {compare: [], success, failure: []}});
    return response.responses.map(({response_range: range}) => range?.kvs[0]?.value);
  }

  async advance(key: string, by: number): Promise<{revision: number}> {
    // The first alone: it gets the token that the others need.
    let {revision} = await this.put(key, '');
    let left = by - 1;
    const lane = async (): Promise<void> => {
      while (left > 0) {
        left -= 1;
        try {
          const answer = await this.put(key, '');
          revision = Math.max(revision, answer.revision);
        } catch (error) {
          left = 0;
          throw error;
        }
      }
    };
    const failed = (await Promise.allSettled(Array.from({length: putsAtOnce}, lane))).find((lane) => lane.status === 'rejected');
    if (failed) throw failed.reason;
    return {revision};
  }

  async deleteKey(key: string): Promise<void> {
    await this.#call({service: 'KV', method: 'DeleteRange', payload: {key: Buffer.from(key)}});
  }

  async hashKV(revision: number): Promise<{hash: number; compactRevision: number}> {
    const response = await this.#call<HashResponse>({
      service: 'Maintenance', method: 'HashKV', payload: {revision: String(revision)}, local: true,
    });
    return {hash: response.hash, compactRevision: toNumber(response.compact_revision)};
  }

  async addLearner(peerURLs: string[]): Promise<ListedMember> {
    const response = await this.#call<{member: MemberMessage}>({
      service: 'Cluster', method: 'MemberAdd', payload: {peerURLs, isLearner: true},
    });
    return toListedMember(response.member);
  }

  async promote(id: string): Promise<void> {
    try {
      await this.#call({service: 'Cluster', method: 'MemberPromote', payload: {ID: decimalID(id)}});
    } catch (error) {
      // etcd's answer when the member is a voter already: a promotion whose answer was lost has come to its end.
      if (isEtcdError(error, 'Other') && error.message.includes('can only promote a learner member')) return;
      throw error;
    }
  }

  async removeMember(id: string): Promise<void> {
    await this.#call({service: 'Cluster', method: 'MemberRemove', payload: {ID: decimalID(id)}});
  }

  async moveLeader(id: string): Promise<void> {
    await this.#call({service: 'Maintenance', method: 'MoveLeader', payload: {targetID: decimalID(id)}});
  }

  async alarms(): Promise<MemberAlarm[]> {
    return toAlarms(await this.#call<AlarmResponse>({service: 'Maintenance', method: 'Alarm', payload: {action: 0}}));
  }

  async disarm(alarm: MemberAlarm): Promise<void> {
    const type = alarm.alarm === 'NOSPACE' ? 1 : 2;
    const payload = {action: 2, memberID: decimalID(alarm.memberID), alarm: type};
    await this.#call({service: 'Maintenance', method: 'Alarm', payload});
  }

  async compact(revision: number, {inBackground = false}: {inBackground?: boolean} = {}): Promise<void> {
    await this.#call({service: 'KV', method: 'Compact', payload: {revision: String(revision), physical: !inBackground}, deadlineMs: longDeadlineMs});
  }

  async defragment(): Promise<void> {
    await this.#call({service: 'Maintenance', method: 'Defragment', deadlineMs: longDeadlineMs});
  }

  /**
   * A serializable read without a token is answered without quorum, and refused where authentication is on. With a
   * client certificate it may pass as the certificate's user, so that only AuthStatus tells (etcd 3.5, needs quorum).
   */
  async authEnabled(): Promise<boolean | undefined> {
    const read = await this.#once({service: 'KV', method: 'Range', payload: {key: Buffer.from([0]), serializable: true}}, undefined);
    if (!read.ok && isRefusal(read.failure)) return true;
    if (read.ok && this.#endpoint.tls?.cert === undefined) return false;
    const status = await this.#once({service: 'Auth', method: 'AuthStatus'}, this.#token);
    if (status.ok) return (status.response as {enabled: boolean}).enabled;
    return isRefusal(status.failure) ? true : undefined;
  }

  watchLeader(heard: WatchHeard): LeaderWatch {
    return watchLeader(() => this.#connection.openWatch({hasleader: 'true'}), heard);
  }

  close(): void {
    this.#connection.close();
  }

  #once(call: Call, token: string | undefined, deadline = Date.now() + this.#deadlineMs): Promise<Outcome> {
    return this.#connection.call(call.service, call.method, call.payload ?? {}, {deadline, token});
  }

  async #call<T>(call: Call): Promise<T> {
    const deadline = Date.now() + (call.deadlineMs ?? this.#deadlineMs);
    const {auth} = this.#endpoint;
    if (auth !== undefined && this.#token === undefined && call.local !== true) await this.#authenticate(auth, deadline);
    let outcome = await this.#once(call, this.#token, deadline);
    if (!outcome.ok && auth !== undefined && this.#mayPassWithToken(outcome.failure)) {
      // The call was refused before anything was done, so to repeat it with a new token is no retry.
      await this.#authenticate(auth, deadline);
      outcome = await this.#once(call, this.#token, deadline);
    }
    if (outcome.ok) return outcome.response as T;
    throw await this.#failure(call, outcome.failure);
  }

  #mayPassWithToken(failure: RpcFailure): boolean {
    const kind = classify(failure);
    return kind === 'Unauthenticated' || (kind === 'PermissionDenied' && this.#token === undefined);
  }

  async #authenticate(auth: {username: string; password: string}, deadline: number): Promise<void> {
    this.#token = undefined;
    const call: Call = {service: 'Auth', method: 'Authenticate', payload: {name: auth.username, password: auth.password}};
    const outcome = await this.#once(call, undefined, deadline);
    if (outcome.ok) this.#token = (outcome.response as {token: string}).token;
    else if (!outcome.failure.details.includes('authentication is not enabled')) throw await this.#failure(call, outcome.failure);
  }

  async #failure(call: Call, failure: RpcFailure): Promise<EtcdError> {
    let kind = classify(failure);
    let reason = kind === 'Certificate' ? certificateReason(failure.details) : undefined;
    if (kind === 'Unreachable' && !noRoute.test(failure.details)) {
      reason = await diagnose(this.#endpoint);
      if (reason !== undefined) kind = 'Certificate';
    }
    const what = `${call.method} on ${hostAndPort(this.#endpoint)} failed`;
    return new EtcdError(kind, `${what}: ${reason === undefined ? '' : `${reason}: `}${failure.details}`);
  }
}

function isRefusal(failure: RpcFailure): boolean {
  const kind = classify(failure);
  return kind === 'Unauthenticated' || kind === 'PermissionDenied';
}

/** Connects when the first call is made. */
export const connectMember: ConnectMember = (endpoint, options = {}) => new Client(endpoint, options.deadlineMs ?? defaultDeadlineMs);
