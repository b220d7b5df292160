// The client of the pm.v1 protocol: one socket, any number of streams, each in order and without
// gaps through reconnects. This module joins the parts and is the only one to import:
//
//   connection.js    one socket that comes back       subscription.js  one stream's cursor
//   commands.js      ids, replies, the offline queue   acks.js          acknowledgements
//   presence.js      who is in a stream
import { Acks } from "./acks.js";
import { Commands } from "./commands.js";
import { Connection } from "./connection.js";
import { Emitter } from "./emitter.js";
import { newClientRef, socketUrl, watchVisibility } from "./environment.js";
import { CommandError, ProtocolError } from "./errors.js";
import { Subscription } from "./subscription.js";
import { systemClock } from "./timing.js";

export { CommandError, ProtocolError };

const EVENTS = ["state", "authenticated", "signal", "error"];
const isName = (value) => typeof value === "string" && value !== "";

export class RealtimeClient {
  #emitter = new Emitter(EVENTS);
  #subscriptions = new Map();
  #commands;
  #acks;
  #connection;
  #host;
  #userId = null;
  #environment;
  #busy = false;
  #unwatch = null;
  // Control frames (protocol section 4); authentication is the connection's own business.
  #control = {
    heartbeat: (frame) => this.#heartbeat(frame),
    server_shutdown: (frame) => this.#emitter.emit("signal", frame),
    stream_reset: (frame) => this.#subscriptions.get(frame.stream)?.reset(),
    project_left: (frame) => this.#subscriptions.get(frame.stream)?.left(frame),
  };

  /** Options and defaults stand in client.d.ts. Nothing is opened before connect(). */
  constructor({
    url = "/ws",
    WebSocket = globalThis.WebSocket,
    protocols = ["pm.v1"],
    headers = null,
    ticket = null,
    clock = systemClock,
    random = Math.random,
    environment = globalThis,
  } = {}) {
    if (typeof WebSocket !== "function") {
      throw new TypeError(`expected a WebSocket class in the options, got ${typeof WebSocket}`);
    }
    if (ticket !== null && typeof ticket !== "function") {
      throw new TypeError(`expected a function that fetches a ticket, got ${typeof ticket}`);
    }
    const { report } = this.#emitter;
    this.#commands = new Commands(clock, random);
    this.#environment = environment;
    const request = (cmd, fields, options) => this.#commands.request(cmd, fields, options);
    this.#acks = new Acks(clock, request);
    this.#host = {
      clock,
      random,
      request,
      report,
      moved: (subscription) => this.#acks.moved(subscription),
      forget: (subscription) => this.#forget(subscription),
      unsubscribe: (subscription) => this.#unsubscribe(subscription),
      tabState: this.#tabState,
    };
    this.#connection = new Connection({
      url: socketUrl(url, environment),
      WebSocket,
      protocols,
      headers,
      ticket,
      clock,
      random,
      environment,
      report,
      onState: (state) => this.#stateChanged(state),
      onOnline: (data) => this.#online(data),
      onFrame: (frame) => this.#received(frame),
      onDown: () => this.#down(),
      onCheck: () => this.#commands.ping(),
    });
  }

  /** {state, reason, retryAt, attempt} as the last "state" event said. */
  get state() {
    return this.#connection.state;
  }

  /** Add a handler for one of EVENTS; returns the function that removes it. */
  on(name, handler) {
    return this.#emitter.on(name, handler);
  }

  /** Open the connection, and keep it open until close() or a stop code. */
  connect() {
    this.#commands.reopen();
    this.#unwatch ??= watchVisibility(this.#environment, () => this.#tabChanged());
    this.#tabChanged();
    this.#connection.connect();
  }

  /** End the connection; what waits is rejected with "closed". Subscriptions keep their place. */
  close() {
    this.#acks.flush();
    this.#unwatch?.();
    this.#unwatch = null;
    this.#connection.close();
    this.#commands.shut("closed", "the client was closed"); // also when it was never opened
  }

  /** Follow `stream`; see client.d.ts for the handlers. Throws for a stream already followed. */
  subscribe(stream, options = {}) {
    if (!isName(stream)) throw new TypeError(`expected a stream's name, got ${String(stream)}`);
    if (this.#subscriptions.has(stream)) {
      throw new Error(`expected one subscription per stream, got a second one of ${stream}`);
    }
    const subscription = new Subscription(this.#host, stream, options);
    this.#subscriptions.set(stream, subscription);
    if (this.state.state === "online") subscription.open();
    return subscription;
  }

  /**
   * Send a command and resolve with its reply's data; rejects with CommandError. One that carries
   * `client_ref` is queued while there is no connection and sent until it is answered.
   */
  command(cmd, fields = {}, { timeoutMs } = {}) {
    return new Promise((onOk, onError) => {
      this.#commands.request(cmd, fields, { timeoutMs, onOk, onError });
    });
  }

  /** Post a message, once, however often the network fails; `extra` adds fields such as reply_to. */
  sendMessage(stream, body, extra = {}, options = {}) {
    const fields = { ...extra, client_ref: extra.client_ref ?? newClientRef(), stream, body };
    return this.command("send_message", fields, options);
  }

  /** Show this person as busy, or not, in every stream with presence. */
  setBusy(busy) {
    this.#busy = Boolean(busy);
    this.#tabChanged();
  }

  get #tabState() {
    if (this.#busy) return "busy";
    return this.#environment.document?.visibilityState === "hidden" ? "hidden" : "online";
  }

  #tabChanged() {
    if (this.#host.tabState === this.#tabState) return;
    this.#host.tabState = this.#tabState;
    for (const subscription of this.#subscriptions.values()) subscription.tell(this.#tabState);
  }

  // ---- the connection ----

  #online(data) {
    const userId = data.user?.id ?? null;
    if (this.#userId !== null && userId !== this.#userId) {
      // Somebody else signed in: they must not post what the former person wrote.
      this.#commands.rejectAll("user_changed", "another person has signed in");
      for (const subscription of this.#subscriptions.values()) subscription.forgetPosition();
    }
    this.#userId = userId;
    const send = (text) => this.#connection.send(text);
    this.#commands.attach(send, () => {
      for (const subscription of this.#subscriptions.values()) subscription.open();
    });
    this.#emitter.emit("authenticated", data);
  }

  #down() {
    this.#acks.drop();
    for (const subscription of this.#subscriptions.values()) subscription.away();
    this.#commands.detach();
  }

  #stateChanged(state) {
    // Nothing will retry these by itself, so every promise must settle now.
    if (state.state === "closed") this.#commands.shut("closed", "the connection has ended");
    if (state.state === "stopped") {
      this.#commands.shut("stopped", `the server refused the connection: ${state.reason.name}`);
    }
    this.#emitter.emit("state", state);
  }

  // ---- frames ----

  #received(frame) {
    const hasSeq = Number.isInteger(frame.seq);
    if ("reply" in frame) {
      if (!this.#commands.reply(frame)) this.#surprise("expected a reply to a command sent", frame);
    } else if (!isName(frame.type)) this.#surprise("expected a type", frame);
    else if (!hasSeq && Object.hasOwn(this.#control, frame.type)) this.#control[frame.type](frame);
    else if (isName(frame.stream)) {
      // Unknown streams are late frames of subscriptions that have ended.
      const subscription = this.#subscriptions.get(frame.stream);
      if (hasSeq) subscription?.event(frame);
      else subscription?.signal(frame);
    } else if (hasSeq) this.#surprise("expected the stream of an event", frame);
    else this.#emitter.emit("signal", frame);
  }

  #heartbeat(frame) {
    for (const [stream, seq] of Object.entries(frame.heads ?? {})) {
      this.#subscriptions.get(stream)?.head(seq);
    }
    for (const [stream, position] of Object.entries(frame.presence ?? {})) {
      this.#subscriptions.get(stream)?.present(position);
    }
  }

  #surprise(message, frame) {
    this.#emitter.report(new ProtocolError(message, frame));
  }

  // ---- subscriptions ----

  #forget(subscription) {
    if (this.#subscriptions.get(subscription.stream) === subscription) {
      this.#subscriptions.delete(subscription.stream);
    }
  }

  #unsubscribe(subscription) {
    this.#acks.flush();
    subscription.end();
    this.#forget(subscription);
    return new Promise((resolve, reject) => {
      const done = () => resolve();
      this.#commands.request("unsubscribe", { stream: subscription.stream }, {
        urgent: true,
        onOk: done,
        onError: (error) => (GONE.has(error.code) ? done() : reject(error)),
      });
    });
  }
}

/** Refusals of an unsubscribe that mean: there is nothing left to unsubscribe from. */
const GONE = new Set(["disconnected", "closed", "stopped", "not_subscribed"]);
