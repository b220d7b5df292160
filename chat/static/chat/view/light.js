// The connection light: what is going on, in words.
import { byId, setText } from "./dom.js";

export class Light {
  #root = byId("light");
  #text = byId("light-text");
  #link = byId("light-link");
  #retry = byId("light-retry");
  #spoken = byId("light-spoken");
  #state = { state: "connecting" };
  #countdown = null;

  /** `retry()` tries to connect at once. */
  constructor(retry) {
    this.#retry.addEventListener("click", retry);
  }

  show(state) {
    this.#state = state;
    clearInterval(this.#countdown);
    if (state.state === "waiting") this.#countdown = setInterval(() => this.#render(), 500);
    this.#render();
  }

  #render() {
    const { state } = this.#state;
    const { text, spoken = text, signIn = false } = WORDS[state](this.#state);
    this.#root.dataset.state = state;
    setText(this.#text, text);
    // Read out once per state, not once per second of a countdown; and being live is no news.
    setText(this.#spoken, state === "online" && this.#spoken.textContent === "" ? "" : spoken);
    this.#retry.hidden = state !== "waiting" && state !== "offline";
    this.#link.hidden = !signIn;
    if (signIn) this.#link.href = `/sign-in/?next=${encodeURIComponent(location.pathname)}`;
  }
}

const WORDS = {
  connecting: ({ attempt }) => ({ text: attempt > 0 ? "Reconnecting…" : "Connecting…", spoken: "" }),
  online: () => ({ text: "Live" }),
  waiting: ({ retryAt }) => {
    const seconds = Math.max(0, Math.ceil((retryAt - Date.now()) / 1000));
    const text = seconds > 0 ? `Reconnecting in ${seconds} s` : "Reconnecting…";
    return { text, spoken: "The connection was lost. Reconnecting." };
  },
  offline: () => ({ text: "You are offline; what you write is sent when you are back" }),
  stopped: ({ reason }) => (STOPPED[reason?.name] ?? STOPPED.other)(reason),
  closed: () => ({ text: "Closed by the server; reload the page to go on" }),
};

const SIGNED_OUT = "credentials ended"; // the close reason; any other 4409 is an administrator's
const KICKED = "kicked by an administrator";

const STOPPED = {
  unauthorized: () => ({ text: "Stopped:", spoken: "Stopped: sign in again.", signIn: true }),
  revoked: ({ text }) => {
    if (text === "" || text === SIGNED_OUT) {
      return { text: "Stopped:", spoken: "Stopped: you were signed out.", signIn: true };
    }
    const why = text === KICKED ? "" : ` (${text})`;
    return { text: `An administrator closed the connection${why}; reload the page to go on` };
  },
  other: (reason) => ({ text: `Stopped: ${reason?.text || reason?.name || "refused"}; reload the page` }),
};
