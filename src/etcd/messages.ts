import type {AlarmType, ListedMember, MemberAlarm, MemberStatus} from './types.ts';

/** etcd's messages as proto-loader gives them: 64-bit numbers are decimal strings, missing fields have defaults. */
export interface Header {
  cluster_id: string;
  member_id: string;
  revision: string;
  raft_term: string;
}
export interface StatusMessage {
  header: Header;
  version: string;
  dbSize: string;
  leader: string;
  raftIndex: string;
  raftTerm: string;
  raftAppliedIndex: string;
  errors: string[];
  isLearner: boolean;
}
export interface MemberMessage {
  ID: string;
  name: string;
  peerURLs: string[];
  clientURLs: string[];
  isLearner: boolean;
}
export interface MemberListResponse {
  header: Header;
  members: MemberMessage[];
}
export interface RangeResponse {
  header: Header;
  kvs: {value: Buffer}[];
}
export interface TxnResponse {
  responses: {response_range?: {kvs: {value: Buffer}[]} | null}[];
}
export interface HashResponse {
  hash: number;
  compact_revision: string;
}
export interface AlarmResponse {
  alarms: {memberID: string; alarm: string | number}[];
}

/** etcd sends IDs as unsigned 64-bit decimals; etcdctl and this project write lower-case hex. */
export function hexID(decimal: string): string {
  return BigInt(decimal).toString(16);
}

export function decimalID(hex: string): string {
  return BigInt(`0x${hex}`).toString();
}

/** Revisions and indexes stay far below 2^53; a number beyond it would be compared wrongly, so it is refused. */
export function toNumber(decimal: string): number {
  const value = Number(decimal);
  if (!Number.isSafeInteger(value)) throw new RangeError(`${decimal} is no safe integer`);
  return value;
}

export function toMemberStatus(message: StatusMessage): MemberStatus {
  return {
    clusterID: hexID(message.header.cluster_id),
    memberID: hexID(message.header.member_id),
    version: message.version,
    leader: message.leader === '0' ? '' : hexID(message.leader),
    raftTerm: toNumber(message.raftTerm),
    raftIndex: toNumber(message.raftIndex),
    raftAppliedIndex: toNumber(message.raftAppliedIndex),
    revision: toNumber(message.header.revision),
    dbSizeBytes: toNumber(message.dbSize),
    isLearner: message.isLearner,
    errors: message.errors,
  };
}

export function toListedMember(message: MemberMessage): ListedMember {
  const {ID, name, peerURLs, clientURLs, isLearner} = message;
  return {id: hexID(ID), name, peerURLs, clientURLs, isLearner};
}

/** etcd3's own description of the API spells the types its own way: Nospace, Corrupt. */
const alarmTypes: Readonly<Record<string, AlarmType>> = {NOSPACE: 'NOSPACE', 1: 'NOSPACE', CORRUPT: 'CORRUPT', 2: 'CORRUPT'};

/** @throws {RangeError} on a type that is not known: an alarm that nobody hears of would be the worst of all answers */
export function toAlarms(response: AlarmResponse): MemberAlarm[] {
  return response.alarms.flatMap(({memberID, alarm}) => {
    const name = String(alarm).toUpperCase();
    if (name === 'NONE' || name === '0') return [];
    const type = alarmTypes[name];
    if (type === undefined) throw new RangeError(`etcd raised an alarm of an unknown type: ${name}`);
    return [{memberID: hexID(memberID), alarm: type}];
  });
}
