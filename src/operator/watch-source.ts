import {Watch} from '@kubernetes/client-node';
import type {HttpKubernetesClient} from '../kubernetes/client-http.ts';
import type {PooledKubeConfig} from '../kubernetes/client-config.ts';
import {revive} from '../kubernetes/client-dates.ts';
import {answerError, noAnswerError} from '../kubernetes/client-status.ts';
import type {CallName} from '../kubernetes/client-status.ts';
import {pathOf, requireVerb} from '../kubernetes/kinds.ts';
import type {Kind} from '../kubernetes/kinds.ts';
import type {Watchable, WatchSource} from './watch.ts';

/** The API server closes a watch after between five and ten minutes, like client-go asks it to, so that not all end at once. */
const lifetimeSeconds = () => Math.round(300 * (1 + Math.random()));

/** Drops what nobody reads and what is large: the image list of a node is most of it. */
function trim(kind: Kind, object: Watchable): void {
  revive(kind, object);
  const {status} = object as {status?: {images?: unknown}};
  if (kind === 'Node' && status !== undefined) delete status.images;
}

/** The normal ends of a stream: closed by the server, or idle for longer than client-node's limit (30 s), or aborted. */
const endedNormally = (error: unknown) =>
  error === null || error === undefined || (error instanceof Error && (error.name === 'TimeoutError' || error.name === 'AbortError'));

function streamError(call: CallName, error: unknown) {
  const code = error instanceof Error && 'statusCode' in error ? Number(error.statusCode) : 0;
  return code >= 400 ? answerError(call, code, error instanceof Error ? error.message : '') : noAnswerError(call, error);
}

export interface Watched {
  kind: Kind;
  /** Undefined: all namespaces, without these. */
  namespace: string | undefined;
  without?: readonly string[];
}

/** Lists by our client and watches by client-node's Watch. */
export function watchSource(client: HttpKubernetesClient, config: PooledKubeConfig, {kind, namespace, without = []}: Watched): WatchSource {
  requireVerb(kind, 'watch');
  const call: CallName = {verb: 'watch', kind, object: namespace ?? ''};
  const watch = new Watch(config);
  const selected = without.length > 0 && {fieldSelector: without.map((name) => `metadata.namespace!=${name}`).join(',')};
  return {
    list: async () => {
      const {items, resourceVersion} = await client.collection(kind, namespace, {...selected});
      for (const item of items) trim(kind, item);
      return {items, resourceVersion};
    },
    stream: (resourceVersion, onEvent, signal) => new Promise<void>((resolve, reject) => {
      const query = {resourceVersion, allowWatchBookmarks: true, timeoutSeconds: lifetimeSeconds(), ...selected};
      const done = (error: unknown) => {
        if (signal.aborted || endedNormally(error)) resolve();
        else reject(streamError(call, error));
      };
      signal.addEventListener('abort', () => {
        resolve();
      });
      watch.watch(pathOf(kind, namespace), query, (type: string, object: Watchable) => {
        if (type !== 'ERROR') trim(kind, object);
        onEvent(type, object);
      }, done).then((controller) => {
        if (signal.aborted) controller.abort();
        else signal.addEventListener('abort', () => {
          controller.abort();
        });
      }, done);
    }),
  };
}
