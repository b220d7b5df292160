// Keeping the reader's place: at the bottom new messages scroll in, anywhere else nothing moves.

/** Closer to the end than this counts as reading the newest. */
const NEAR_PX = 48;

export class Scroller {
  #box;
  #onMove;
  #following = true;

  /** `onMove()` is called when the person has scrolled. */
  constructor(box, onMove) {
    this.#box = box;
    this.#onMove = onMove;
    box.addEventListener("scroll", () => this.#moved(), { passive: true });
    // A growing composer, a turned phone: what was at the bottom stays there.
    new ResizeObserver(() => this.#settle()).observe(box);
  }

  get atEnd() {
    return this.#following;
  }

  /** Run `render`, which may add rows anywhere; `prepended` tells that it adds them at the top. */
  around(render, { prepended }) {
    const fromEnd = this.#box.scrollHeight - this.#box.scrollTop;
    render();
    if (prepended && !this.#following) this.#box.scrollTop = this.#box.scrollHeight - fromEnd;
    this.#settle();
  }

  toEnd() {
    this.#following = true;
    this.#settle();
  }

  /** A row further up was asked for: stop following the newest. */
  show(target) {
    this.#following = false;
    target.scrollIntoView({ block: "center" });
  }

  #settle() {
    if (this.#following) this.#box.scrollTop = this.#box.scrollHeight;
  }

  #moved() {
    const { scrollHeight, scrollTop, clientHeight } = this.#box;
    this.#following = scrollHeight - scrollTop - clientHeight < NEAR_PX;
    this.#onMove();
  }
}
