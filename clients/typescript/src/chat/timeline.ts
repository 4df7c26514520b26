/**
 * Which messages of a timeline are known, and between which seqs that is all of them. Pure.
 *
 * A segment knows all messages from the seq `from` to the seq `to`: `from` 0 is the beginning, `to` Infinity the end,
 * where new ones are added. Segments that meet become one.
 */
export interface Segment {
  readonly from: number;
  readonly to: number;
  /** Of the messages, ascending. */
  readonly seqs: readonly number[];
}

/** Segments in their order, which do not meet. */
export type Timeline = readonly Segment[];

/** The place of the first of `seqs` that is at least `seq`. */
export function lowerBound(seqs: readonly number[], seq: number): number {
  let low = 0;
  let high = seqs.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((seqs[middle] as number) < seq) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The segment that knows what is at `place`. */
export function segmentAt(timeline: Timeline | undefined, place: number): Segment | undefined {
  return timeline?.find((each) => each.from <= place && place <= each.to);
}

/** With a message, if its place is in a segment. */
export function insert(timeline: Timeline, seq: number): Timeline {
  const segment = segmentAt(timeline, seq);
  if (segment === undefined) return timeline;
  const at = lowerBound(segment.seqs, seq);
  if (segment.seqs[at] === seq) return timeline;
  const seqs = segment.seqs.slice();
  seqs.splice(at, 0, seq);
  return timeline.map((each) => (each === segment ? { ...segment, seqs } : each));
}

/** Without a message. */
export function remove(timeline: Timeline, seq: number): Timeline {
  const segment = segmentAt(timeline, seq);
  if (!segment?.seqs.includes(seq)) return timeline;
  const seqs = segment.seqs.filter((each) => each !== seq);
  return timeline.map((each) => (each === segment ? { ...segment, seqs } : each));
}

/** With a page, joined with all that it meets. */
export function join(timeline: Timeline, page: Segment): Timeline {
  const apart = timeline.filter((each) => each.to + 1 < page.from || page.to + 1 < each.from);
  const met = timeline.filter((each) => !apart.includes(each));
  const seqs = [...new Set([...page.seqs, ...met.flatMap((each) => each.seqs)])].sort((a, b) => a - b);
  const from = Math.min(page.from, ...met.map((each) => each.from));
  const to = Math.max(page.to, ...met.map((each) => each.to));
  return [...apart, { from, to, seqs }].sort((a, b) => a.from - b.from);
}

/** Without what is up to `through`, before which there is nothing any more. */
export function cut(timeline: Timeline, through: number): Timeline {
  const kept: Segment[] = [];
  for (const each of timeline) {
    if (each.to <= through) continue;
    const begins = each.from <= through + 1;
    const seqs = begins ? each.seqs.slice(lowerBound(each.seqs, through + 1)) : each.seqs;
    kept.push(begins ? { from: 0, to: each.to, seqs } : each);
  }
  return kept;
}

/** The last `count` messages of a segment that goes to the end. */
export function tail(segment: Segment, count: number): Segment {
  if (segment.seqs.length <= count) return segment;
  const seqs = segment.seqs.slice(-count);
  return { from: seqs[0] ?? segment.from, to: segment.to, seqs };
}
