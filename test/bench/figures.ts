// What many measurements come down to.

/** The smallest value that `share` (0 to 1) of all values do not exceed: the nearest rank, so always one that was measured. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const found = sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
  if (found === undefined) throw new RangeError("no values to take a percentile of");
  return found;
}

/** The middle value; between the two middle ones when their number is even. */
export function median(values: readonly number[]): number {
  const fromAbove = -percentile(
    values.map((value) => -value),
    0.5,
  );
  return (percentile(values, 0.5) + fromAbove) / 2;
}

export function rounded(value: number, digits = 2): number {
  return Number(value.toFixed(digits));
}

/** What a rate of `a` and then of `b` come to when each piece of work needs both: 1/(1/a + 1/b). */
export function inSeries(a: number, b: number): number {
  return 1 / (1 / a + 1 / b);
}
