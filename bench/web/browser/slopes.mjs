// How steep a row of readings is.

/** Theil and Sen: the median of the slopes of all pairs, which one odd reading does not move. */
export function steepness(points) {
  const slopes = [];
  for (const [at, [x, y]] of points.entries()) {
    for (const [otherX, otherY] of points.slice(at + 1)) slopes.push((otherY - y) / (otherX - x));
  }
  slopes.sort((a, b) => a - b);
  const middle = slopes.length / 2;
  return slopes.length % 2 === 1 ? slopes[Math.floor(middle)] : (slopes[middle - 1] + slopes[middle]) / 2;
}
