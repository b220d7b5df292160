// Toasts: what was said just now and asks for nothing. They go by themselves; the tray keeps them.
import { byId } from "./dom.js";
import { KeyedList } from "./keyed.js";
import { createNotice, fillNotice } from "./notice.js";

/** At a time; of a burst the newest. */
const SHOWN_TOASTS = 3;
/** Time to read one: something to notice it by, and so much for each character, up to a bound. */
const NOTICED_MS = 8_000;
const CHARACTER_MS = 60;
const LONGEST_MS = 30_000;
const STEP_MS = 500;

export class Toasts {
  #list = byId("toast-list");
  #rows;
  #over;
  #left = new Map();
  #shown = [];
  #timer = null;

  /** `over(shown)` takes one away whose time is over, or for which there is no room. */
  constructor(actions, over) {
    this.#over = over;
    this.#rows = new KeyedList(this.#list, {
      keyOf: ({ notice }) => notice.key,
      create: (shown) => createNotice(shown, actions),
      update: fillNotice,
    });
    this.#list.addEventListener("keydown", (event) => {
      const row = event.target.closest(".notice");
      if (event.key !== "Escape" || row === null) return;
      actions.putAway(row.shown);
      byId("tray-button").focus();
    });
  }

  render(shown) {
    this.#shown = shown.slice(0, SHOWN_TOASTS);
    this.#rows.render(this.#shown);
    this.#list.hidden = this.#shown.length === 0;
    const left = this.#shown.map((one) => [one.notice.key, this.#left.get(one.notice.key) ?? timeFor(one)]);
    this.#left = new Map(left);
    if (this.#shown.length === 0) {
      clearInterval(this.#timer);
      this.#timer = null;
    } else this.#timer ??= setInterval(() => this.#step(), STEP_MS);
    for (const one of shown.slice(SHOWN_TOASTS)) this.#over(one);
  }

  /** Time passes while the page is looked at, and nobody is at a toast. */
  #step() {
    const held = this.#list.matches(":hover") || this.#list.contains(document.activeElement);
    if (held || document.visibilityState !== "visible") return;
    for (const one of this.#shown) {
      const left = this.#left.get(one.notice.key) - STEP_MS;
      this.#left.set(one.notice.key, left);
      if (left <= 0) this.#over(one);
    }
  }
}

function timeFor({ notice }) {
  return Math.min(NOTICED_MS + CHARACTER_MS * notice.html.length, LONGEST_MS);
}
