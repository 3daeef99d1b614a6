export type Level = 'ok' | 'note' | 'problem' | 'unknown';

/** One thing that was looked at. `problem`: it would stop a recovery, or lose data in one. */
export interface Finding {
  area: string;
  level: Level;
  what: string;
  /** What to change, or whom to ask. */
  change?: string;
}

export const ok = (area: string, what: string): Finding => ({area, level: 'ok', what});
export const note = (area: string, what: string, change: string): Finding => ({area, level: 'note', what, change});
export const problem = (area: string, what: string, change: string): Finding => ({area, level: 'problem', what, change});
export const unknown = (area: string, what: string, change: string): Finding => ({area, level: 'unknown', what, change});

/** Something that was asked for: it may be that this user must not see it. */
export type Told<T> = {told: T} | {forbidden: string};
