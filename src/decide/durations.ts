const unit = {ms: 1, s: 1000, m: 60_000, h: 3_600_000} as const;

/** Milliseconds of a duration such as 90s, 10m or 1h30m, as the schema admits it. */
export function durationMs(text: string): number {
  return [...text.matchAll(/([0-9]+)(ms|s|m|h)/g)].reduce((sum, [, amount, name]) => sum + Number(amount) * unit[name as keyof typeof unit], 0);
}
