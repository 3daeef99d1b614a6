/** Cancels a timer; harmless after it fired. */
export type Cancel = () => void;

/** Time, injected so that tests and the simulation run without waiting. */
export interface Clock {
  /** Wall clock, milliseconds since the epoch: only for what people and the API server read. */
  now(): number;
  /** Milliseconds on a clock that is never set: for every interval, deadline and expiry. */
  monotonic(): number;
  setTimeout(callback: () => void, milliseconds: number): Cancel;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  setTimeout: (callback, milliseconds) => {
    const timer = setTimeout(callback, milliseconds);
    return () => {
      clearTimeout(timer);
    };
  },
};

/** Resolves after the time, or as soon as the signal aborts; never rejects. */
export function sleep(clock: Clock, milliseconds: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = () => {
      cancel();
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const cancel = clock.setTimeout(done, milliseconds);
    signal?.addEventListener('abort', done);
  });
}

/** Somewhere in [milliseconds, milliseconds × (1 + share)), so that many timers do not fire at once. */
export const jittered = (milliseconds: number, share: number, random: () => number = Math.random) => milliseconds * (1 + share * random());
