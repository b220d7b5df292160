// One socket that comes back: opening, liveness, close codes, back-off, and what the browser knows
// of network and visibility. Knows frames only as far as they concern the connection itself.
import { nameOf, verdictOf } from "./closing.js";
import { listen } from "./environment.js";
import { ProtocolError } from "./errors.js";
import { Reconnects } from "./reconnects.js";

/** From the constructor call to authentication_success; a dead network may never fail by itself. */
const AUTHENTICATE_MS = 15_000;
/** What silence may exceed the heartbeat by (protocol section 4). */
const SILENCE_GRACE_MS = 5_000;
const HEARTBEAT_DEFAULT_S = 25;
/** How long a ping may be unanswered after the page became visible or the network changed. */
const CHECK_MS = 5_000;
/** How long an error may stay without the close that explains it. */
const FAILED_MS = 1_000;
/** What the browser may be told as the code of our own close; 4000 and up is the server's. */
const SILENT_CODE = 3000;

export class Connection {
  #options;
  #reconnects;
  #socket = null;
  #opening = 0;
  #wanted = false;
  #state = { state: "closed", reason: null, retryAt: null, attempt: 0 };
  #authenticatedAt = null;
  #ticketsRefused = 0;
  #heartbeatMs = HEARTBEAT_DEFAULT_S * 1000;
  #heardAt = 0;
  #framesHeard = 0;
  #timers = { retry: null, authenticate: null, silence: null, check: null, failed: null };
  #unlisten = () => {};

  /**
   * Options as RealtimeClient's, with all defaults filled in, and the callbacks `onState(state)`,
   * `onOnline(data)`, `onFrame(frame)`, `onDown()` (a socket that was online is gone; it comes
   * before the state), `onCheck()` (send a ping) and `report(error)`.
   */
  constructor(options) {
    this.#options = options;
    this.#reconnects = new Reconnects(options.clock, options.random);
  }

  get state() {
    return this.#state;
  }

  /** Start, or try at once while waiting. */
  connect() {
    if (this.#wanted) {
      this.#hurry();
      return;
    }
    this.#wanted = true;
    this.#ticketsRefused = 0;
    this.#reconnects.restart();
    this.#listen();
    this.#open();
  }

  close() {
    if (this.#state.state === "closed") return;
    this.#finish("closed", null, 1000);
  }

  send(text) {
    this.#socket?.send(text);
  }

  // ---- opening ----

  #open() {
    this.#clear("retry");
    const opening = ++this.#opening;
    this.#reconnects.opening();
    this.#authenticatedAt = null;
    this.#enter("connecting");
    if (opening !== this.#opening) return; // a handler closed us
    this.#arm("authenticate", AUTHENTICATE_MS, () => this.#drop("no authentication_success"));
    // Functions, so that every attempt can bring fresh credentials.
    const { protocols, headers, ticket } = this.#options;
    const offered = [protocols, headers, ticket].map((value) =>
      typeof value === "function" ? fetched(value) : value,
    );
    if (!offered.some((value) => typeof value?.then === "function")) {
      this.#dial(...offered);
      return;
    }
    Promise.all(offered).then(
      (values) => {
        if (opening === this.#opening) this.#dial(...values);
      },
      (error) => {
        if (opening !== this.#opening) return;
        this.#options.report(error);
        this.#lost(1006, "no credentials for the handshake");
      },
    );
  }

  #dial(protocols, headers, ticket) {
    const { WebSocket, url } = this.#options;
    if (this.#options.ticket !== null) {
      if (ticket === null) {
        this.#finish("stopped", { code: 4401, name: nameOf(4401), text: "nobody is signed in" });
        return;
      }
      protocols = [...protocols, `pm.ticket.${ticket}`];
    }
    let socket;
    try {
      socket = headers ? new WebSocket(url, protocols, { headers }) : new WebSocket(url, protocols);
    } catch (error) {
      // The constructor only throws for what is wrong for good: the address, mixed content.
      this.#options.report(error);
      this.#finish("stopped", { code: 0, name: "unusable_address", text: String(error.message) });
      return;
    }
    this.#socket = socket;
    this.#heardAt = this.#options.clock.now();
    const mine = (handle) => (event) => {
      if (socket === this.#socket) handle(event);
    };
    socket.onmessage = mine((event) => this.#received(event.data));
    socket.onclose = mine((event) => this.#lost(event.code, event.reason));
    // A close with the details follows, except in Node 20's own WebSocket when connecting fails.
    socket.onerror = mine(() =>
      this.#arm("failed", FAILED_MS, () => this.#lost(1006, "the connection failed")),
    );
  }

  #received(text) {
    this.#heardAt = this.#options.clock.now();
    this.#framesHeard += 1;
    let frame;
    try {
      frame = JSON.parse(text);
    } catch {
      this.#options.report(new ProtocolError("expected a JSON text frame", text));
      return;
    }
    if (frame === null || typeof frame !== "object" || Array.isArray(frame)) {
      this.#options.report(new ProtocolError("expected a JSON object", frame));
    } else if (frame.type === "authentication_success") this.#authenticated(frame.data ?? {});
    else {
      if (frame.type === "server_shutdown") {
        this.#reconnects.announced(frame.data?.reconnect_after_ms);
      }
      this.#options.onFrame(frame);
    }
  }

  #authenticated(data) {
    // Again on a live socket: `authenticate` was sent as a command; nothing has to be restored.
    if (this.#authenticatedAt !== null) return;
    this.#clear("authenticate");
    this.#authenticatedAt = this.#options.clock.now();
    this.#ticketsRefused = 0;
    this.#heartbeatMs = (data.heartbeat_s > 0 ? data.heartbeat_s : HEARTBEAT_DEFAULT_S) * 1000;
    this.#watchSilence();
    // Commands must already work in the handlers that hear of "online".
    const socket = this.#socket;
    this.#become("online");
    this.#options.onOnline(data);
    if (socket === this.#socket) this.#options.onState(this.#state);
  }

  // ---- liveness ----

  /** One timer that looks when it fires, rather than one that is moved by every frame. */
  #watchSilence() {
    const limitMs = this.#heartbeatMs + SILENCE_GRACE_MS;
    const leftMs = this.#heardAt + limitMs - this.#options.clock.now();
    if (leftMs <= 0) this.#drop(`nothing heard for ${limitMs} ms`);
    else this.#arm("silence", leftMs, () => this.#watchSilence());
  }

  #check() {
    if (this.#authenticatedAt === null || this.#timers.check !== null) return;
    const heard = this.#framesHeard;
    this.#arm("check", CHECK_MS, () => {
      if (this.#framesHeard === heard) this.#drop(`no answer to a ping within ${CHECK_MS} ms`);
    });
    this.#options.onCheck();
  }

  /** Give the socket up without waiting for a closing handshake that a dead network never ends. */
  #drop(why) {
    this.#lost(1006, why, SILENT_CODE);
  }

  // ---- the end of a socket ----

  #lost(code, text, ownCode = null) {
    const verdict = this.#freshTicketHelps(code) ? "retry" : verdictOf(code);
    const reason = { code, name: nameOf(code), text: text ?? "" };
    if (verdict !== "retry") {
      this.#finish(verdict === "stop" ? "stopped" : "closed", reason);
      return;
    }
    const delayMs = this.#reconnects.lost(code, text, this.#authenticatedAt);
    this.#down(ownCode);
    this.#arm("retry", delayMs, () => this.#open());
    const state = this.#noNetwork() ? "offline" : "waiting";
    this.#enter(state, reason, this.#options.clock.now() + delayMs);
  }

  /**
   * A ticket may be too old by the time it arrives, and credentials end while a socket is open: one
   * more ticket tells. A second refusal in a row means the person.
   */
  #freshTicketHelps(code) {
    if (code !== 4401 || this.#options.ticket === null) return false;
    this.#ticketsRefused = this.#authenticatedAt === null ? this.#ticketsRefused + 1 : 0;
    return this.#ticketsRefused < 2;
  }

  #finish(state, reason, ownCode = null) {
    this.#wanted = false;
    this.#unlisten();
    this.#down(ownCode);
    this.#enter(state, reason);
  }

  #down(ownCode) {
    this.#detach(ownCode);
    const online = this.#authenticatedAt !== null;
    this.#authenticatedAt = null;
    if (online) this.#options.onDown();
  }

  #detach(ownCode) {
    for (const name of Object.keys(this.#timers)) this.#clear(name);
    const socket = this.#socket;
    this.#socket = null;
    this.#opening += 1; // credentials that are still being fetched are for nobody now
    if (socket === null || ownCode === null) return;
    try {
      socket.close(ownCode);
    } catch (error) {
      this.#options.report(error);
    }
  }

  #hurry() {
    const { state } = this.#state;
    if (state !== "waiting" && state !== "offline") return;
    // What an overloaded server asked for is kept; only our own back-off is cut short.
    if (!this.#reconnects.ordered) this.#open();
  }

  // ---- the browser ----

  #noNetwork() {
    return this.#options.environment.navigator?.onLine === false;
  }

  #listen() {
    const again = () => {
      this.#check();
      this.#hurry();
    };
    const { environment } = this.#options;
    this.#unlisten = listen(environment, {
      online: again,
      visible: again,
      offline: () => this.#networkLost(),
    });
  }

  /**
   * The browser says that there is no network. It may be wrong about a server on this very machine,
   * so a socket that is open is asked rather than thrown away, and retries go on, slowly.
   */
  #networkLost() {
    this.#check();
    const { state, reason, retryAt } = this.#state;
    if (state === "waiting") this.#enter("offline", reason, retryAt);
  }

  // ---- state and timers ----

  #become(state, reason = null, retryAt = null) {
    this.#state = { state, reason, retryAt, attempt: this.#reconnects.attempt };
  }

  /** The last thing that a method does: handlers may close or connect. */
  #enter(...state) {
    this.#become(...state);
    this.#options.onState(this.#state);
  }

  #arm(name, ms, callback) {
    this.#clear(name);
    this.#timers[name] = this.#options.clock.setTimeout(() => {
      this.#timers[name] = null;
      callback();
    }, ms);
  }

  #clear(name) {
    this.#options.clock.clearTimeout(this.#timers[name]);
    this.#timers[name] = null;
  }
}

/** The value of a function that may be asynchronous, and may throw, always as a promise. */
async function fetched(provider) {
  return provider();
}
