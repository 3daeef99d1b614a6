import {classify} from './classify.ts';
import type {RpcFailure} from './classify.ts';
import type {OpenCall} from './connection.ts';

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
  created?: boolean;
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

export interface WatchHeard {
  /** The member has confirmed the watch: from now on it tells of a lost leader. */
  onOpen: () => void;
  /** Told once, unless the watch was closed before. */
  onEnd: (end: WatchEnd) => void;
}

/** A watch that the member has not confirmed after this time, ms, has failed. */
const openingMs = 3_000;

/** Holds one watch with the metadata `hasleader` open on one member, so that the loss of the leader is pushed and not asked for. */
export function watchLeader(open: () => Promise<{call: OpenCall; close: () => void}>, {onOpen, onEnd}: WatchHeard): LeaderWatch {
  let over = false;
  let close = (): void => undefined;
  const finish = (): boolean => {
    if (over) return false;
    over = true;
    clearTimeout(timer);
    close();
    return true;
  };
  const end = (why: WatchEnd): void => { if (finish()) onEnd(why); };
  const timer = setTimeout(end, openingMs, {kind: 'Broken', message: `the member did not confirm the watch within ${openingMs / 1000} s`});
  void open().then((opened) => {
    close = opened.close;
    if (over) close();
    else listen(opened.call, end, () => {
      clearTimeout(timer);
      if (!over) onOpen();
    });
  }, (error: unknown) => { end({kind: 'Broken', message: String(error)}); });
  return {close: () => { finish(); }};
}

function listen(call: OpenCall, end: (why: WatchEnd) => void, created: () => void): void {
  call.on('data', (message) => {
    const {canceled, created: confirmed, cancel_reason: reason = ''} = message as WatchResponse;
    if (canceled === true) end({kind: /no leader/.test(reason) ? 'NoLeader' : refused(reason) ? 'Refused' : 'Broken', message: reason});
    else if (confirmed === true) created();
  });
  call.on('error', (failure) => { end(endOf(failure)); });
  call.on('end', () => { end({kind: 'Broken', message: 'the member ended the watch'}); });
  call.write({create_request: {key: Buffer.from(watchedKey)}});
}
