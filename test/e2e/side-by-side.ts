/** Something that takes so much of the width; what is wider than everything runs by itself. */
interface Weighed {
  weight: number;
}

/**
 * Runs all of them, each as soon as its weight fits beside what runs. With the heaviest first in the list none waits for ever: whatever is
 * begun in its place is as heavy as itself.
 */
export async function sideBySide<T extends Weighed>(tasks: readonly T[], width: number, run: (task: T) => Promise<void>): Promise<void> {
  const waiting = [...tasks];
  const running = new Set<Promise<void>>();
  let taken = 0;
  while (waiting.length > 0 || running.size > 0) {
    const next = waiting.findIndex(({weight}) => running.size === 0 || taken + weight <= width);
    const [task] = next === -1 ? [] : waiting.splice(next, 1);
    if (task === undefined) {
      await Promise.race(running);
      continue;
    }
    taken += task.weight;
    const ended = run(task).finally(() => {
      taken -= task.weight;
      running.delete(ended);
    });
    running.add(ended);
  }
}
