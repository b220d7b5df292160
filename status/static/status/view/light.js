// Whether the page is live, in words; and since when it is not.
import { span } from "../words.js";
import { byId, setText } from "./dom.js";

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });

export class Light {
  #root = byId("light");
  #state = { state: "connecting" };
  #subscribed = false;
  #refused = false;
  #awaySince = null;

  constructor(retry) {
    byId("light-retry").addEventListener("click", retry);
    setInterval(() => this.#render(), 1000);
  }

  /** The connection's state. */
  show(state) {
    this.#state = state;
    if (state.state !== "online") this.#subscribed = false;
    this.#note();
  }

  /** The stream is followed. */
  live() {
    this.#subscribed = true;
    this.#note();
  }

  /** The right to see it ended. */
  refused() {
    this.#refused = true;
    this.#subscribed = false;
    this.#note();
  }

  #note() {
    const live = this.#subscribed;
    const was = this.#root.dataset.state;
    if (live) this.#awaySince = null;
    else if (was === "online") this.#awaySince = Date.now();
    this.#root.dataset.state = live ? "online" : "away";
    document.body.toggleAttribute("data-away", this.#awaySince !== null || this.#refused);
    if (was !== this.#root.dataset.state && this.#awaySince !== null) {
      setText(byId("light-spoken"), "The page is no longer live.");
    } else if (live) setText(byId("light-spoken"), "");
    this.#render();
  }

  #render() {
    const { state, retryAt, reason } = this.#state;
    const since = this.#awaySince === null ? "" : `Not live since ${clock.format(this.#awaySince)}, for ${span(Date.now() - this.#awaySince)}. `;
    setText(byId("light-text"), this.#subscribed ? "Live" : since + (this.#refused ? "You may no longer see the status." : words(state, retryAt, reason)));
    byId("light-retry").hidden = state !== "waiting" && state !== "offline";
    byId("light-link").hidden = state !== "stopped";
  }
}

function words(state, retryAt, reason) {
  if (state === "waiting") {
    const seconds = Math.ceil((retryAt - Date.now()) / 1000);
    return seconds > 0 ? `Reconnecting in ${seconds} s` : "Reconnecting…";
  }
  if (state === "offline") return "This device is offline.";
  if (state === "stopped") return reason?.text ? `Stopped: ${reason.text}.` : "Stopped.";
  return state === "closed" ? "Closed by the server." : "Connecting…";
}
