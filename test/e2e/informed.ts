import {CoreV1Api, makeInformer} from '@kubernetes/client-node';
import type {Informer, KubeConfig, ObjectCache, V1ConfigMap} from '@kubernetes/client-node';
import type {Kube} from './kube.ts';
import {KubeError} from './kube.ts';

const namespace = 'default';
/** A client that lost its watch begins again after that long, ms. */
const againMs = 500;

const wordsOf = ({metadata, data}: V1ConfigMap): string => JSON.stringify({name: metadata?.name, data});

/** An informer on ConfigMaps, as controllers have them, that writes down the content of every revision that it was told. */
export class Informed {
  readonly #informer: Informer<V1ConfigMap> & ObjectCache<V1ConfigMap>;
  readonly #contents = new Map<string, string>();
  readonly #twice: string[] = [];
  #over = false;

  constructor(config: KubeConfig) {
    const api = config.makeApiClient(CoreV1Api);
    this.#informer = makeInformer(config, `/api/v1/namespaces/${namespace}/configmaps`, async () => await api.listNamespacedConfigMap({namespace}));
    this.#informer.on('add', (found) => { this.#see(found); });
    this.#informer.on('update', (found) => { this.#see(found); });
    this.#informer.on('error', () => {
      setTimeout(() => { if (!this.#over) void this.#informer.start(); }, againMs);
    });
  }

  #see(found: V1ConfigMap): void {
    const revision = found.metadata?.resourceVersion ?? '';
    const [before, now] = [this.#contents.get(revision), wordsOf(found)];
    if (before !== undefined && before !== now) this.#twice.push(`revision ${revision}: ${before}, and ${now}`);
    this.#contents.set(revision, now);
  }

  async start(): Promise<void> {
    await this.#informer.start();
  }

  async stop(): Promise<void> {
    this.#over = true;
    await this.#informer.stop();
  }

  /** Revisions that came with two contents. */
  get twice(): readonly string[] {
    return this.#twice;
  }

  /** The highest revision that it was told. */
  get highest(): number {
    return Math.max(0, ...[...this.#contents.keys()].map(Number));
  }

  valueOf(name: string): string | undefined {
    return this.#informer.get(name, namespace)?.data?.['value'];
  }

  /**
   * What its cache has otherwise than etcd, of all that there ever was of these names. A list may come from the API server's own cache; one
   * object by its name never does.
   */
  async differences(kube: Kube, names: readonly string[]): Promise<string[]> {
    const differ = await Promise.all(names.map(async (name) => {
      const [there, cached] = [await kube.get('configmaps', namespace, name), this.#informer.get(name, namespace)];
      const same = there?.metadata?.resourceVersion === cached?.metadata?.resourceVersion && there?.data?.['value'] === cached?.data?.['value'];
      return same ? [] : [`${name}: cached ${cached?.data?.['value'] ?? 'nothing'}, in etcd ${there?.data?.['value'] ?? 'nothing'}`];
    }));
    return differ.flat();
  }
}

/** Writes a ConfigMap with this value; `undefined` deletes it. */
export async function setValue(kube: Kube, name: string, value: string | undefined): Promise<void> {
  if (value === undefined) { await kube.delete('configmaps', namespace, name); return; }
  try {
    await kube.create('configmaps', {metadata: {name, namespace}, data: {value}});
  } catch (error) {
    if (!(error instanceof KubeError) || error.code !== 409) throw error;
    await kube.patch('configmaps', namespace, name, {data: {value}});
  }
}
