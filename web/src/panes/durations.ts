/** For how long something is: choices, as the seconds they last. */

export const DURATIONS = { hour: 3600, day: 86_400, week: 604_800, month: 2_592_000, forGood: 0 } as const;
export type Duration = keyof typeof DURATIONS;
export const DURATION_KEYS = Object.keys(DURATIONS) as readonly Duration[];

/** The time in Unix seconds at which it is over; undefined for good. */
export function untilOf(duration: Duration, now: number): number | undefined {
  return DURATIONS[duration] === 0 ? undefined : Math.round(now + DURATIONS[duration]);
}
