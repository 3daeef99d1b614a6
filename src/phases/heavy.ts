/** How many at once: two, so that one which waits for a slow disk does not keep the others from going on. */
const atOnce = 2;

/**
 * Acts that keep this process busy for seconds, such as some ten thousand writes to one etcd after the other. More of them at the same time are
 * not faster, and too many keep the process from renewing its Lease: it ends, and whoever comes after it begins them all again.
 */
export class HeavyActs {
  #running = 0;

  /** @returns how to end it, once; undefined: as many as may be are under way */
  begin(): (() => void) | undefined {
    if (this.#running >= atOnce) return undefined;
    this.#running += 1;
    return () => { this.#running -= 1; };
  }
}
