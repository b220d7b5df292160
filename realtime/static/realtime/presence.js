// Who is in one stream: a list, kept level by differences that are counted. On a jump of the counter,
// or another nonce (the server's memory of it began anew), the list is asked for.
const CHANGES = new Set(["user_joined", "user_left", "user_status_changed"]);
/** Between two questions; the first is asked within a part of it, so that not all ask together. */
const ASK_MS = 4_000;

export class Presence {
  #client;
  #stream;
  #changed;
  #users = null;
  #nonce = null;
  #counter = 0;
  #timer = null;
  #askedAt = -Infinity;

  /** `client` gives `request`, `clock` and `random`; `changed(users)` hears of each new list. */
  constructor(client, stream, changed) {
    this.#client = client;
    this.#stream = stream;
    this.#changed = changed;
  }

  /** [{user, state}], or null while it is not known. */
  get users() {
    return this.#users === null ? null : [...this.#users.values()];
  }

  /** The whole, of a subscribe's or a presence command's reply; null where the server has none. */
  replace(list) {
    this.#cancel();
    if (!Array.isArray(list?.users)) {
      this.#forget();
      return;
    }
    this.#users = new Map(list.users.map((entry) => [entry.user.id, entry]));
    this.#nonce = list.nonce;
    this.#counter = list.counter;
    this.#changed(this.users);
  }

  /** A difference; other signals are passed over. */
  signal({ type, data }) {
    if (!CHANGES.has(type) || data.nonce === null || data.nonce === undefined) return;
    if (this.#known(data)) return;
    if (this.#users === null || data.nonce !== this.#nonce || data.counter !== this.#counter + 1) {
      this.#askSoon();
      return;
    }
    this.#counter = data.counter;
    const { user, state } = data;
    if (state === "offline") this.#users.delete(user.id);
    else this.#users.set(user.id, { user, state });
    this.#changed(this.users);
  }

  /** Where the server stands, as a heartbeat says it. */
  position(position) {
    if (!this.#known(position)) this.#askSoon();
  }

  /** Say how this tab is: "online", "hidden" or "busy"; the reply is the list. */
  tell(state) {
    this.#ask({ state });
  }

  /** The socket is gone: what was known is not believed any more, but shown until it is known. */
  away() {
    this.#cancel();
    this.#nonce = null;
  }

  #known({ nonce, counter }) {
    return nonce === this.#nonce && counter <= this.#counter;
  }

  #forget() {
    this.#nonce = null;
    if (this.#users === null) return;
    this.#users = null;
    this.#changed(null);
  }

  #askSoon() {
    if (this.#timer !== null) return;
    const { clock, random } = this.#client;
    const waitMs = Math.max(0, this.#askedAt + ASK_MS - clock.now()) + (random() * ASK_MS) / 4;
    this.#timer = clock.setTimeout(() => this.#ask({}), waitMs);
  }

  #ask(fields) {
    this.#cancel();
    this.#askedAt = this.#client.clock.now();
    this.#client.request("presence", { stream: this.#stream, ...fields }, {
      onOk: (list) => this.replace(list),
      onError: () => {}, // the next difference or heartbeat asks again
    });
  }

  #cancel() {
    this.#client.clock.clearTimeout(this.#timer);
    this.#timer = null;
  }
}
