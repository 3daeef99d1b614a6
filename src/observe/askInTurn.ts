import type {Clock} from '../operator/clock.ts';
import type {CalmClusters} from './calmClusters.ts';

const tickMs = 100;
/** How many clusters are asked side by side. */
const atOnce = 16;

/** Asks calm clusters when their time comes. `onDefect`: told of what no answer of a member explains. @returns how to end it */
export function askInTurn(calm: Pick<CalmClusters, 'due' | 'ask'>, clock: Clock, onDefect: (error: unknown) => void): () => void {
  let running = 0;
  let cancel = (): void => undefined;
  const tick = (): void => {
    cancel = clock.setTimeout(tick, tickMs);
    for (const key of calm.due().slice(0, atOnce - running)) {
      running += 1;
      void calm.ask(key).catch(onDefect).finally(() => { running -= 1; });
    }
  };
  cancel = clock.setTimeout(tick, tickMs);
  return () => { cancel(); };
}
