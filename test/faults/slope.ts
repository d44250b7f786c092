/** Two standard errors: about 95 % of a normal distribution. */
const STANDARD_ERRORS = 2;

/**
 * The least-squares slope of points [hours, value], in values per hour, with its uncertainty (95 %).
 * The points of a soak are not independent, so the actual uncertainty is larger.
 */
export function slopePerHour(points: readonly (readonly [number, number])[]) {
  const count = points.length;
  if (count < 3) return { slope: Number.NaN, uncertainty: Number.NaN };
  const mean = (at: 0 | 1) => points.reduce((sum, point) => sum + point[at], 0) / count;
  const [meanX, meanY] = [mean(0), mean(1)];
  const spread = points.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0);
  const slope = points.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0) / spread;
  const residuals = points.reduce((sum, [x, y]) => sum + (y - meanY - slope * (x - meanX)) ** 2, 0);
  const uncertainty = STANDARD_ERRORS * Math.sqrt(residuals / (count - 2) / spread);
  return { slope, uncertainty };
}
