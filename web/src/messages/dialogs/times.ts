/** Times that are offered for what is to happen later. Pure. Unix seconds. */

const HOUR = 3600;
const MORNING = 9; // o'clock

/** Nine in the morning, so many days after now. */
export function morning(now: number, days: number): number {
  const date = new Date(now * 1000);
  date.setDate(date.getDate() + days);
  return date.setHours(MORNING, 0, 0, 0) / 1000;
}

/** Days until the next Monday. */
export const untilMonday = (now: number): number => (8 - new Date(now * 1000).getDay()) % 7 || 7;

export const soon = (now: number) => ({
  in20: now + HOUR / 3,
  in1h: now + HOUR,
  in3h: now + 3 * HOUR,
  tomorrow: morning(now, 1),
  monday: morning(now, untilMonday(now)),
});

/** As a field of type `datetime-local` has it, in the time of this device. */
export function toLocal(time: number): string {
  const date = new Date(time * 1000);
  const two = (value: number) => String(value).padStart(2, "0");
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}T${two(date.getHours())}:${two(date.getMinutes())}`;
}

/** Unix seconds of what such a field has; undefined for nothing. */
export function fromLocal(value: string): number | undefined {
  const time = new Date(value).getTime() / 1000;
  return Number.isFinite(time) ? time : undefined;
}
