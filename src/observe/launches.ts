import type {Launch, LaunchProblem} from '../etcd/launch/launch.ts';

type Read = Launch | LaunchProblem;

/** Far beyond what one operator looks after: only what is never asked for again makes it grow. */
const limit = 20_000;

/**
 * How the pods of a revision start etcd, read once: the data of a ControllerRevision never changes. What depends on anything else, as on a
 * ConfigMap, is read anew each time.
 */
export class Launches {
  readonly #read = new Map<string, Read>();

  /** @param parts everything that `read` depends on; undefined: it depends on more */
  of(parts: readonly unknown[] | undefined, read: () => Read): Read {
    if (parts === undefined) return read();
    const key = JSON.stringify(parts);
    const known = this.#read.get(key);
    if (known !== undefined) return known;
    if (this.#read.size >= limit) this.#read.clear();
    const made = read();
    this.#read.set(key, made);
    return made;
  }
}
