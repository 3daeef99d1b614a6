import {classify} from './classify.ts';
import type {RpcFailure} from './classify.ts';
import {openWatch} from './connection.ts';
import type {OpenCall} from './connection.ts';
import type {EtcdEndpoint} from './types.ts';

/**
 * Why a watch that asked for a leader ended.
 * - NoLeader: etcd itself ended it, because its member has had no leader for three election timeouts (etcdserver/api/v3rpc/interceptor.go, monitorLeader).
 * - Broken: the connection, or the member, is gone.
 * - Refused: this client may not watch there (users, certificate), so that nothing can be told from it.
 */
export type WatchEnd = {kind: 'NoLeader' | 'Broken' | 'Refused'; message: string};

export interface LeaderWatch {
  close(): void;
}

interface WatchResponse {
  canceled?: boolean;
  cancel_reason?: string;
}

/** Watched for nothing: no client of etcd writes it, and a watcher of one key that nobody writes costs the member next to nothing. */
const watchedKey = 'quorumrecovery.io/leader';

const refused = (message: string): boolean => /permission|auth|user name|token/i.test(message);

export const endOf = (failure: RpcFailure): WatchEnd => {
  const kind = classify(failure);
  if (kind === 'NoLeader') return {kind: 'NoLeader', message: failure.details};
  const mayNot = kind === 'Unauthenticated' || kind === 'PermissionDenied' || kind === 'Certificate';
  return {kind: mayNot ? 'Refused' : 'Broken', message: failure.details};
};

/**
 * Holds one watch with the metadata `hasleader` open on one member, so that the loss of the leader is pushed and not asked for.
 * @param onEnd called once, unless the watch was closed before
 */
export function watchLeader(endpoint: EtcdEndpoint, onEnd: (end: WatchEnd) => void): LeaderWatch {
  let over = false;
  let close = (): void => undefined;
  const end = (why: WatchEnd): void => {
    if (over) return;
    over = true;
    close();
    onEnd(why);
  };
  void openWatch(endpoint, {hasleader: 'true'}).then((opened) => {
    close = opened.close;
    if (over) close();
    else listen(opened.call, end);
  }, (error: unknown) => { end({kind: 'Broken', message: String(error)}); });
  return {
    close: () => {
      over = true;
      close();
    },
  };
}

function listen(call: OpenCall, end: (why: WatchEnd) => void): void {
  call.on('data', (message) => {
    const {canceled, cancel_reason: reason = ''} = message as WatchResponse;
    if (canceled === true) end({kind: /no leader/.test(reason) ? 'NoLeader' : refused(reason) ? 'Refused' : 'Broken', message: reason});
  });
  call.on('error', (failure) => { end(endOf(failure)); });
  call.on('end', () => { end({kind: 'Broken', message: 'the member ended the watch'}); });
  call.write({create_request: {key: Buffer.from(watchedKey)}});
}
