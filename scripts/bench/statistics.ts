/** The value below which a share of the values lies (0 to 1), between two values by interpolation. Throws for none. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((one, other) => one - other);
  const position = (sorted.length - 1) * share;
  const below = sorted[Math.floor(position)];
  const above = sorted[Math.ceil(position)];
  if (below === undefined || above === undefined) throw new Error("there is no percentile of no values");
  return below + (above - below) * (position - Math.floor(position));
}

/** The value in the middle. Throws for no values. */
export function median(values: readonly number[]): number {
  return percentile(values, 0.5);
}

/**
 * The median of the ratios of pairs that were measured side by side. What slows the machine down for a while slows both
 * of a pair, so this is steadier than the ratio of two medians.
 */
export function medianRatio(pairs: readonly { readonly value: number; readonly floor: number }[]): number {
  return median(pairs.map(({ value, floor }) => value / floor));
}
