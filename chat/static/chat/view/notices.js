// Notices wherever they are shown: banners below the bar, toasts over the page, the tray.
import { remember } from "../heeding.js";
import { arranged, changesIn, showingOf, standing } from "../notices.js";
import { byId, setText, showText } from "./dom.js";
import { KeyedList } from "./keyed.js";
import { createNotice, fillNotice, kindOf, shownNotice } from "./notice.js";
import { Spoken } from "./spoken.js";
import { Toasts } from "./toasts.js";
import { Tray } from "./tray.js";

export class NoticesView {
  #heeding;
  #onChange;
  #box = byId("banners");
  #banners;
  #toasts;
  #tray;
  #spoken = new Spoken(byId("notices-spoken"), "new notices");
  #said = new Set();
  #present = [];
  #timer = null;

  /** `onChange()` asks to be rendered again. */
  constructor(heeding, onChange) {
    this.#heeding = heeding;
    this.#onChange = onChange;
    const acknowledge = ({ notice }) => heeding.acknowledge(notice);
    const putAway = ({ notice, showing }) => heeding.putAway(notice, showing, { byHand: true });
    const keyOf = ({ notice }) => notice.key;
    const create = (shown) => createNotice(shown, { acknowledge, putAway });
    this.#banners = new KeyedList(byId("banner-list"), { keyOf, create, update: fillNotice });
    this.#toasts = new Toasts(
      { acknowledge, putAway },
      ({ notice, showing }) => heeding.putAway(notice, showing, { byHand: false }),
    );
    this.#tray = new Tray({ acknowledge }, (notices) => heeding.read(notices));
  }

  /** `notices` of all streams that are followed, `now` by the server's clock. */
  render(notices, now) {
    const present = standing(notices, now);
    const { banners, more, toasts } = arranged(present, now, (notice) =>
      this.#heeding.of(notice, showingOf(notice, now)));
    const shown = (notice) => shownNotice(notice, now, this.#heeding);
    const hadFocus = this.#box.contains(document.activeElement);
    this.#banners.render(banners.map(({ notice }) => shown(notice)));
    this.#box.hidden = banners.length === 0;
    showText(byId("banners-more"), more === 0 ? "" : `${more} more`);
    // What scrolls must be reached by keyboard.
    if (this.#box.scrollHeight > this.#box.clientHeight) this.#box.tabIndex = 0;
    else this.#box.removeAttribute("tabindex");
    this.#toasts.render(toasts.map(shown));
    this.#tray.render(present.map(shown));
    if (hadFocus && !this.#box.contains(document.activeElement)) this.#refocus();
    if (this.#present.some(({ key }) => !present.some((notice) => notice.key === key))) this.#hush();
    this.#present = present;
    this.#say([...banners.map(({ notice }) => notice), ...toasts].map(shown));
    clearTimeout(this.#timer);
    if (present.length > 0) this.#timer = setTimeout(this.#onChange, changesIn(present, now));
  }

  /** The banner with the focus is gone: on to the next one, else to where all of them are. */
  #refocus() {
    const next = this.#box.hidden ? null : this.#box.querySelector("button:not([hidden])");
    (next ?? byId("tray-button")).focus();
  }

  /** What was withdrawn or has expired stands nowhere, what was read out included. */
  #hush() {
    this.#spoken.hush();
    setText(byId("notices-alert"), "");
  }

  /** Once for each notice, and again when its maintenance begins. */
  #say(shown) {
    const news = shown.filter(({ showing }) => !this.#said.has(showing));
    for (const { showing } of news) remember(this.#said, showing);
    // What interrupts is critical and was said just now; what stood before waits for a pause.
    const loud = news.filter(({ notice }) => notice.level === "critical" && notice.live);
    for (const one of news) if (!loud.includes(one)) this.#spoken.say(textOf(one));
    if (loud.length > 0) setText(byId("notices-alert"), loud.map(textOf).join(". "));
  }
}

function textOf({ notice, when }) {
  return [`${kindOf(notice)}: ${notice.title}`, when, notice.mustAcknowledge && "Please acknowledge"]
    .filter(Boolean)
    .join(". ");
}
