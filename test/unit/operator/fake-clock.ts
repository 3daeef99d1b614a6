import type {Cancel, Clock} from '../../../src/operator/clock.ts';

/** Lets everything that waits for resolved promises run, including chains over several of them. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

/** A clock that stands still until it is advanced. */
export class FakeClock implements Clock {
  #now: number;
  #monotonic = 1_000;
  #next = 0;
  readonly #timers = new Map<number, {due: number; callback: () => void}>();

  constructor(now = Date.UTC(2026, 0, 1)) {
    this.#now = now;
  }

  now(): number {
    return this.#now;
  }

  monotonic(): number {
    return this.#monotonic;
  }

  get timers(): number {
    return this.#timers.size;
  }

  setTimeout(callback: () => void, milliseconds: number): Cancel {
    const id = this.#next++;
    // As Node's: it takes no more than 32 bits with a sign, and is none the wiser beyond.
    this.#timers.set(id, {due: this.#monotonic + (milliseconds > 2 ** 31 - 1 ? 1 : milliseconds), callback});
    return () => {
      this.#timers.delete(id);
    };
  }

  /** Sets the wall clock alone, as an administrator or NTP does. */
  setWallClock(now: number): void {
    this.#now = now;
  }

  /** Time goes by, and the process is not run: what falls due meanwhile is late. */
  stall(milliseconds: number): void {
    this.#move(this.#monotonic + milliseconds);
  }

  /** Moves both clocks, fires what is due in order, and lets promises settle after each. */
  async advance(milliseconds: number): Promise<void> {
    await settle();
    const end = this.#monotonic + milliseconds;
    for (;;) {
      const next = [...this.#timers].filter(([, timer]) => timer.due <= end).sort((a, b) => a[1].due - b[1].due || a[0] - b[0])[0];
      if (next === undefined) break;
      const [id, {due, callback}] = next;
      this.#timers.delete(id);
      this.#move(Math.max(due, this.#monotonic));
      callback();
      await settle();
    }
    this.#move(end);
    await settle();
  }

  #move(to: number): void {
    this.#now += to - this.#monotonic;
    this.#monotonic = to;
  }
}
