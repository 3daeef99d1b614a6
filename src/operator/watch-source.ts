import {Watch} from '../kubernetes/client-node.ts';
import type {V1Pod, V1StatefulSet} from '@kubernetes/client-node';
import type {HttpKubernetesClient} from '../kubernetes/client-http.ts';
import type {PooledKubeConfig} from '../kubernetes/client-config.ts';
import {revive} from '../kubernetes/client-dates.ts';
import {answerError, noAnswerError} from '../kubernetes/client-status.ts';
import type {CallName} from '../kubernetes/client-status.ts';
import {pathOf, requireVerb} from '../kubernetes/kinds.ts';
import type {Kind} from '../kubernetes/kinds.ts';
import type {Watchable, WatchSource} from './watch.ts';

/** Of our own labels and annotations. */
const ownPrefix = 'quorumrecovery.io/';

/** The API server closes a watch after between five and ten minutes, like client-go asks it to, so that not all end at once. */
const lifetimeSeconds = () => Math.round(300 * (1 + Math.random()));

/**
 * Drops what nobody reads of what is kept, for it is kept of thousands of pods: of a pod it is asked whose it is, where it runs and how its
 * containers ended, of a StatefulSet whether it changed, of a node everything but its images.
 */
function trim(kind: Kind, object: Watchable): void {
  revive(kind, object);
  const {status} = object as {status?: {images?: unknown}};
  if (kind === 'Node') delete status?.images;
  if (kind === 'Pod') trimPod(object);
  if (kind === 'StatefulSet') {
    const set: V1StatefulSet = object;
    delete set.spec;
    delete set.status;
    delete set.metadata?.annotations;
  }
}

function trimPod(pod: V1Pod): void {
  const {nodeName, restartPolicy} = pod.spec ?? {};
  pod.spec = {containers: [], ...(nodeName !== undefined && {nodeName}), ...(restartPolicy !== undefined && {restartPolicy})};
  delete pod.status?.conditions;
  const {metadata} = pod;
  if (metadata?.annotations) metadata.annotations = Object.fromEntries(Object.entries(metadata.annotations).filter(([name]) => name.startsWith(ownPrefix)));
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
  /** Label selector; empty: everything. */
  labels?: string;
}

/** Lists by our client and watches by client-node's Watch. */
export function watchSource(client: HttpKubernetesClient, config: PooledKubeConfig, {kind, namespace, without = [], labels = ''}: Watched): WatchSource {
  requireVerb(kind, 'watch');
  const call: CallName = {verb: 'watch', kind, object: namespace ?? ''};
  const watch = new Watch(config);
  const field = kind === 'Namespace' ? 'metadata.name' : 'metadata.namespace';
  const selected = {
    ...(without.length > 0 && {fieldSelector: without.map((name) => `${field}!=${name}`).join(',')}),
    ...(labels !== '' && {labelSelector: labels}),
  };
  return {
    list: async () => {
      const {items, resourceVersion} = await client.collection(kind, namespace, selected);
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
