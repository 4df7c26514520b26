// Keeps a scrolling list at its end while it grows, until somebody scrolls up to read.

export class Tail {
  #scroller;
  #height = 0;
  #due = false;
  follows = true;

  /** `reached` is called when the end has come into view. */
  constructor(scroller, reached = () => {}) {
    this.#scroller = scroller;
    scroller.addEventListener("scroll", () => {
      if (scroller.clientHeight !== this.#height) return; // not a person: it was resized or hidden
      this.follows = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < 24;
      if (this.follows) reached();
    });
    new ResizeObserver(() => {
      this.#height = scroller.clientHeight;
      this.grown();
    }).observe(scroller);
  }

  /** Something was added: follow it, once for all that a frame of the screen brings. */
  grown() {
    if (this.#due) return;
    this.#due = true;
    requestAnimationFrame(() => {
      this.#due = false;
      if (this.follows) this.#scroller.scrollTop = this.#scroller.scrollHeight;
    });
  }

  toEnd() {
    this.follows = true;
    this.grown();
  }
}
