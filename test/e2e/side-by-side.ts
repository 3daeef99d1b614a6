/** Something that takes so much of the width; what is wider than everything runs by itself. */
interface Weighed {
  weight: number;
}

/** How much may run at the same time. */
export interface Room {
  width: number;
  /** Waits for a while, and says how wide it is from then on, where so much of it is taken. */
  next?: (taken: number) => Promise<number>;
}

/**
 * Runs all of them, each as soon as its weight fits beside what runs. With the heaviest first in the list none waits for ever: whatever is
 * begun in its place is as heavy as itself.
 */
export async function sideBySide<T extends Weighed>(tasks: readonly T[], room: Room, run: (task: T) => Promise<void>): Promise<void> {
  const waiting = [...tasks];
  const running = new Set<Promise<void>>();
  let {width} = room;
  let taken = 0;
  let wider: Promise<void> | undefined;
  while (waiting.length > 0 || running.size > 0) {
    const next = waiting.findIndex(({weight}) => running.size === 0 || taken + weight <= width);
    const [task] = next === -1 ? [] : waiting.splice(next, 1);
    if (task === undefined) {
      if (waiting.length > 0) {
        wider ??= room.next?.(taken).then((now) => {
          width = now;
          wider = undefined;
        });
      }
      await Promise.race([...running, ...(wider === undefined ? [] : [wider])]);
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
