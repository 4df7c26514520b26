/** Where a floating thing goes beside its anchor. Pure: boxes in px of the viewport. */

export interface Box {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

/** The side of the anchor, and the edge that is shared; start and end as one reads. */
export type Placement = "below-start" | "below-end" | "above-start" | "above-end" | "above" | "below" | "end";

const GAP = 6;
const MARGIN = 8; // to the edge of the window

/** Left and top of a box of `width` and `height`; turned over where there is no room, and never off the window. */
export function place(
  anchor: Box,
  size: { width: number; height: number },
  window: { width: number; height: number },
  placement: Placement,
  rtl: boolean,
): { left: number; top: number } {
  const { width, height } = size;
  let left: number;
  let top: number;
  if (placement === "end") {
    const after = anchor.right + GAP;
    const before = anchor.left - GAP - width;
    const fits = rtl ? before >= MARGIN : after + width <= window.width - MARGIN;
    left = fits !== rtl ? after : before;
    top = anchor.top;
  } else {
    const below = anchor.bottom + GAP;
    const above = anchor.top - GAP - height;
    const wantsBelow = placement.startsWith("below");
    const fitsBelow = below + height <= window.height - MARGIN;
    const fitsAbove = above >= MARGIN;
    top = wantsBelow ? (fitsBelow || !fitsAbove ? below : above) : fitsAbove || !fitsBelow ? above : below;
    if (placement.endsWith("-start")) left = rtl ? anchor.right - width : anchor.left;
    else if (placement.endsWith("-end")) left = rtl ? anchor.left : anchor.right - width;
    else left = (anchor.left + anchor.right - width) / 2;
  }
  const within = (value: number, limit: number) => Math.max(MARGIN, Math.min(value, limit));
  return {
    left: Math.round(within(left, window.width - width - MARGIN)),
    top: Math.round(within(top, window.height - height - MARGIN)),
  };
}
