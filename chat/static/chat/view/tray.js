// The tray: all notices that stand, put away or not, newest first. The browser opens and closes it (a
// popover: Escape and a press elsewhere close it, and the focus goes back to its button).
import { byId, setText, showText } from "./dom.js";
import { KeyedList } from "./keyed.js";
import { createNotice, fillNotice } from "./notice.js";

export class Tray {
  #box = byId("tray");
  #rows;
  #shown = [];

  /** `read(notices)`: they were looked at, which is told when the tray closes. */
  constructor(actions, read) {
    this.#rows = new KeyedList(byId("tray-list"), {
      keyOf: ({ notice }) => notice.key,
      create: (shown) => createNotice(shown, actions),
      update: fillNotice,
    });
    this.#box.addEventListener("toggle", ({ newState }) => {
      byId("tray-button").setAttribute("aria-expanded", String(newState === "open"));
      if (newState === "open") this.#box.focus();
      else read(this.#shown.map(({ notice }) => notice));
    });
  }

  render(shown) {
    this.#shown = shown;
    this.#rows.render(shown);
    byId("tray-empty").hidden = shown.length > 0;
    const unread = shown.filter(({ read }) => !read).length;
    showText(byId("tray-count"), unread === 0 ? "" : String(unread));
    setText(byId("tray-unread"), unread === 0 ? "" : ", unread");
  }
}
