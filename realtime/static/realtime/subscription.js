// One stream as this tab follows it: the cursor, and the rules that make events arrive in order and
// once. The cursor lives here, in memory, beside the state that the handlers built from it.
import { callSafely } from "./emitter.js";
import { CommandError, ProtocolError } from "./errors.js";
import { Presence } from "./presence.js";
import { Backoff, boundedRetryAfter } from "./timing.js";

/**
 * away:        no socket; nothing arrives.
 * subscribing: a subscribe is on its way or about to be. Frames of the stream are *ignored*: they
 *              belong to the subscription that the reply replaces, perhaps to another epoch, and
 *              whatever counts comes again after the reply, from the cursor on.
 * live:        frames count. A replay is live too: frames are written to a socket in order, so at
 *              any moment the only frame that may come is cursor + 1.
 * ended:       left, refused or unsubscribed.
 */
const Phase = Object.freeze({
  AWAY: "away",
  SUBSCRIBING: "subscribing",
  LIVE: "live",
  ENDED: "ended",
});

/** Codes that say nothing about the stream: the next connection opens it again. */
const CONNECTION_ENDED = new Set(["disconnected", "closed", "stopped"]);

export class Subscription {
  #client;
  #handlers;
  #wantsSnapshot;
  #cursor;
  #phase = Phase.AWAY;
  #retryTimer = null;
  #refusals;
  #fruitless;
  #presence = null;
  #hasPresence = false;

  /**
   * `client` gives `request`, `report`, `clock`, `random`, `tabState`, `moved(sub)`,
   * `forget(sub)` and `unsubscribe(sub)`; handlers are as client.d.ts says.
   */
  constructor(client, stream, { snapshot = false, since = null, ...handlers }) {
    this.#client = client;
    this.stream = stream;
    this.gaps = 0;
    this.#handlers = handlers;
    this.#wantsSnapshot = snapshot;
    this.#cursor = since === null ? null : { epoch: since.epoch, seq: since.seq };
    this.#refusals = new Backoff(client.random);
    this.#fruitless = new Backoff(client.random);
    if (handlers.onPresence !== undefined) {
      const changed = (users) => this.#call("onPresence", users);
      this.#presence = new Presence(client, stream, changed);
    }
  }

  /** {epoch, seq} of the last event handed over, or null before the first reply. */
  get position() {
    return this.#cursor === null ? null : { ...this.#cursor };
  }

  get live() {
    return this.#phase === Phase.LIVE;
  }

  get ended() {
    return this.#phase === Phase.ENDED;
  }

  /** End it; resolves when the server has confirmed, or at once without a connection. */
  unsubscribe() {
    if (this.ended) return Promise.resolve();
    return this.#client.unsubscribe(this);
  }

  // ---- called by the client, not by its users ----

  /** Send the subscribe; `reset` asks for the snapshot whatever the position. */
  open({ reset = false } = {}) {
    if (this.ended) return;
    this.#clearRetry();
    this.#phase = Phase.SUBSCRIBING;
    const fields = { stream: this.stream };
    if (this.#cursor !== null) fields.since = this.#cursor;
    const snapshot = reset || (this.#cursor === null && this.#wantsSnapshot);
    if (snapshot) fields.snapshot = true;
    this.#client.request("subscribe", fields, {
      urgent: true,
      onOk: (info) => this.#subscribed(info, snapshot),
      onError: (error) => this.#refused(error, reset),
    });
  }

  /** The socket is gone. */
  away() {
    if (this.ended) return;
    this.#clearRetry();
    this.#phase = Phase.AWAY;
    this.#presence?.away();
  }

  /** Another person signed in: what this cursor was applied to is not theirs. */
  forgetPosition() {
    this.#cursor = null;
  }

  end() {
    this.#clearRetry();
    this.#phase = Phase.ENDED;
    this.#presence?.away();
  }

  event(frame) {
    if (!this.live || frame.seq <= this.#cursor.seq) return;
    if (frame.seq > this.#cursor.seq + 1) {
      this.#resubscribe();
      return;
    }
    // Moved before the handler runs: an event whose handler throws was still handed over once.
    this.#cursor = { epoch: this.#cursor.epoch, seq: frame.seq };
    this.#fruitless.reset();
    this.#call("onEvent", frame);
    this.#client.moved(this);
  }

  signal(frame) {
    if (!this.live) return;
    this.#call("onSignal", frame);
    this.#presence?.signal(frame);
  }

  /** Where presence stands, of a heartbeat. */
  present(position) {
    if (this.live) this.#presence?.position(position);
  }

  /** Say how this tab is, where the stream has presence. */
  tell(state) {
    if (!this.live || !this.#hasPresence) return;
    if (this.#presence !== null) this.#presence.tell(state);
    else {
      const fields = { stream: this.stream, state };
      this.#client.request("presence", fields, { onOk: () => {}, onError: () => {} });
    }
  }

  /**
   * `seq` of a heartbeat's heads: the last one written to this socket, in order with the frames,
   * and only for streams that are not being caught up. So everything up to it came before the
   * heartbeat, nothing can still be under way, and no grace is needed.
   */
  head(seq) {
    if (this.live && Number.isInteger(seq) && seq > this.#cursor.seq) this.#resubscribe();
  }

  /** While subscribing, a reset concerns the subscription that is being replaced. */
  reset() {
    if (this.live) this.open({ reset: true });
  }

  /** Likewise: removed while subscribing, the reply will say forbidden. */
  left(frame) {
    if (this.live) this.#leave(frame);
  }

  #subscribed(info, askedForSnapshot) {
    if (this.#phase !== Phase.SUBSCRIBING) return;
    const surprise = this.#surprise(info);
    if (surprise !== null) {
      this.#client.report(new ProtocolError(`${surprise}: ${this.stream}`, info));
      this.#refused(new CommandError("internal", surprise, { temporary: true }), true);
      return;
    }
    this.#refusals.reset();
    this.#phase = Phase.LIVE;
    const resumed = info.recovered === true;
    if (!resumed) this.#cursor = { epoch: info.epoch, seq: info.head };
    const replace = info.recovered === false || info.snapshot !== undefined;
    if (replace || (askedForSnapshot && !resumed)) {
      this.#call("onSnapshot", info.snapshot ?? null, info);
    }
    this.#call("onSubscribed", info);
    if (!this.live) return; // a handler may have ended it
    this.#hasPresence = info.presence !== undefined;
    if (this.#hasPresence) this.#presence?.replace(info.presence);
    // The server takes a connection for visible until it is told otherwise.
    if (this.#client.tabState !== "online") this.tell(this.#client.tabState);
  }

  /** What is wrong with a reply, or null; believing it would lose or repeat events in silence. */
  #surprise(info) {
    if (typeof info.epoch !== "string" || !Number.isInteger(info.head)) {
      return "expected epoch and head in the reply to subscribe";
    }
    if (this.#cursor !== null && typeof info.recovered !== "boolean") {
      return "expected recovered in the reply to a subscribe with a position";
    }
    if (info.recovered === true && info.epoch !== this.#cursor?.epoch) {
      return "expected a recovered subscription to keep its epoch";
    }
    return null;
  }

  #refused(error, reset) {
    if (this.#phase !== Phase.SUBSCRIBING) return;
    if (CONNECTION_ENDED.has(error.code)) {
      this.#phase = Phase.AWAY;
    } else if (error.temporary) {
      // Unbounded in number, bounded in rate: a subscription is a standing wish.
      const delayMs = boundedRetryAfter(error.retryAfterMs) + this.#refusals.nextMs();
      this.#retry(delayMs, { reset });
    } else {
      const { code, message, temporary, retryAfterMs } = error;
      const refusal = { code, message, temporary, retry_after_ms: retryAfterMs };
      this.#leave({ type: "subscribe_refused", stream: this.stream, error: refusal });
    }
  }

  /** A gap: subscribe again from the cursor, once at a time. */
  #resubscribe() {
    this.gaps += 1;
    this.#phase = Phase.SUBSCRIBING;
    // At once, unless the last time brought no event: a server that keeps announcing what it does
    // not deliver must not be asked in a tight loop.
    const again = this.#fruitless.attempt > 0;
    const delayMs = this.#fruitless.nextMs();
    if (again) this.#retry(delayMs, {});
    else this.open();
  }

  #retry(delayMs, options) {
    this.#clearRetry();
    this.#retryTimer = this.#client.clock.setTimeout(() => this.open(options), delayMs);
  }

  #clearRetry() {
    this.#client.clock.clearTimeout(this.#retryTimer);
    this.#retryTimer = null;
  }

  #leave(frame) {
    this.end();
    this.#client.forget(this);
    this.#call("onLeft", frame);
  }

  #call(name, ...values) {
    callSafely(this.#handlers[name], values, this.#client.report);
  }
}
