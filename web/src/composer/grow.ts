/** `field-sizing: content` in the CSS of such fields does it: nothing is to be laid out at once for it. */
const BY_ITSELF = typeof CSS !== "undefined" && CSS.supports("field-sizing", "content");

/** Make a field as high as what is written in it; its CSS says how high at most. */
export function grow(field: HTMLTextAreaElement): void {
  if (BY_ITSELF) return;
  field.style.blockSize = "auto";
  field.style.blockSize = `${field.scrollHeight + field.offsetHeight - field.clientHeight}px`;
}
