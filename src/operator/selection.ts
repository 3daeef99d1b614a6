import type {QuorumRecovery} from '../api/types.ts';
import {parseSelector, selects} from '../kubernetes/selectors.ts';
import type {LabelSelector} from '../kubernetes/selectors.ts';
import type {OperatorConfig} from './config.ts';
import type {FeedEvent} from './feed.ts';

type Served = Pick<OperatorConfig, 'namespaces' | 'excludedNamespaces' | 'namespaceSelector' | 'resourceSelector'>;

/** Which resources this installation serves, by its settings and the namespaces that have the labels now. */
export class Selection {
  readonly #served: Served;
  readonly #resources: LabelSelector;
  /** Namespaces that the selector selects, as the feed tells of them. */
  readonly #namespaces = new Set<string>();

  constructor(served: Served) {
    this.#served = served;
    this.#resources = parseSelector(served.resourceSelector);
  }

  /** Whether there is anything that it does not serve. */
  get narrow(): boolean {
    const {namespaces, excludedNamespaces, namespaceSelector, resourceSelector} = this.#served;
    return namespaces.length > 0 || excludedNamespaces.length > 0 || namespaceSelector !== '' || resourceSelector !== '';
  }

  see(event: FeedEvent): void {
    if (event.kind !== 'Namespace') return;
    const {name = ''} = event.object.metadata ?? {};
    if (event.type === 'Deleted') this.#namespaces.delete(name);
    else this.#namespaces.add(name);
  }

  /** Every resource of the namespace is served, and so heard of. */
  isComplete(namespace: string): boolean {
    return this.#served.resourceSelector === '' && this.#servesNamespace(namespace);
  }

  serves({metadata: {namespace = '', labels}}: QuorumRecovery): boolean {
    return selects(this.#resources, labels) && this.#servesNamespace(namespace);
  }

  #servesNamespace(namespace: string): boolean {
    const {namespaces, excludedNamespaces, namespaceSelector} = this.#served;
    if (excludedNamespaces.includes(namespace)) return false;
    if (namespaceSelector !== '') return this.#namespaces.has(namespace);
    return namespaces.length === 0 || namespaces.includes(namespace);
  }
}
