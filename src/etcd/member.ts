export type {
  AlarmType, ConnectMember, EndpointTLS, EtcdEndpoint, EtcdMember, ListedMember, MemberAlarm, MemberStatus,
} from './types.ts';
export {EtcdError, isEtcdError} from './errors.ts';
export type {EtcdErrorKind} from './errors.ts';
export {connectMember} from './client.ts';
export {MemberPool} from './pool.ts';
export type {MemberPoolOptions} from './pool.ts';
export {probePeer} from './peer.ts';
