// Commands and their replies: ids, the offline queue, retries, timeouts. Knows nothing of sockets
// beyond a function that sends text.
//
// A command with a `client_ref` takes effect once however often it is sent (protocol section 7), so
// it is kept until a reply came, over any number of sockets. Any other is lost with its socket.
import { CommandError } from "./errors.js";
import { Backoff, boundedRetryAfter } from "./timing.js";

/** The server queues 32 commands a socket and then answers rate_limited: stay well below. */
const WINDOW = 16;
/** Policy at the bound: newest refused, with the code "queue_full". */
const QUEUE_MAX = 256;
/** WEBSOCKET_MAX_MESSAGE_BYTES' default; a larger frame would cost the whole socket (1009). */
const FRAME_MAX_BYTES = 65_536;
/** Room for `"id":<integer>,` which is added when a command is sent. */
const ID_BYTES = 24;
const CALL_TIMEOUT_MS = 15_000;
/** How long one sending of a `client_ref` command waits for its reply before it is sent again. */
const REPLY_TIMEOUT_MS = 30_000;
const MAX_ATTEMPTS = 8;

export class Commands {
  #clock;
  #random;
  #send = null;
  #held = false;
  #shut = null;
  #nextId = 1;
  // Entries stay in their lane, in the order of their calls, until they are settled; `id` is not
  // null while one is on its way. So a resend after a reconnect keeps the order for free.
  #urgent = new Set();
  #queue = new Set();
  #inFlight = new Map();
  #wakeTimer = null;

  constructor(clock, random) {
    this.#clock = clock;
    this.#random = random;
  }

  /**
   * Send `cmd` with `fields`; exactly one of `onOk(data)` and `onError(CommandError)` is called
   * once. Callbacks rather than a promise: the frames of a replay may follow a subscribe's reply
   * in the same tick, before any promise would have resolved.
   * `urgent` overtakes the queue (the client's own commands). `timeoutMs` bounds the whole wait;
   * without it, a `client_ref` command waits until it is answered, any other 15 s.
   */
  request(cmd, fields, { urgent = false, timeoutMs, onOk, onError }) {
    const ref = typeof fields?.client_ref === "string";
    // Encoded now: what the caller does to `fields` later must not change a resend.
    const text = JSON.stringify({ ...fields, id: undefined, cmd });
    const refusal = this.#refusal(text, { ref, urgent });
    if (refusal !== null) {
      onError(refusal);
      return;
    }
    const lane = urgent ? this.#urgent : this.#queue;
    const entry = {
      lane,
      ref,
      stream: ref ? fields.stream : undefined,
      text,
      onOk,
      onError,
      id: null,
      notBefore: 0,
      backoff: new Backoff(this.#random),
      replyTimer: null,
      deadlineTimer: null,
    };
    const deadlineMs = timeoutMs ?? (ref ? null : CALL_TIMEOUT_MS);
    if (deadlineMs !== null) {
      entry.deadlineTimer = this.#clock.setTimeout(
        () => this.#settle(entry, () => onError(timeoutError(cmd, deadlineMs))),
        deadlineMs,
      );
    }
    lane.add(entry);
    this.#pump();
  }

  /** A socket is authenticated: `before()` may add urgent commands, then everything is sent. */
  attach(send, before) {
    this.#send = send;
    this.#held = true;
    try {
      before();
    } finally {
      this.#held = false;
    }
    this.#pump();
  }

  /** The socket is gone: what carries a `client_ref` waits for the next, the rest is rejected. */
  detach() {
    this.#send = null;
    this.#inFlight.clear();
    for (const entry of [...this.#urgent, ...this.#queue]) {
      entry.id = null;
      this.#clock.clearTimeout(entry.replyTimer);
      if (!entry.ref) this.#settle(entry, () => entry.onError(disconnected()));
    }
  }

  /** Reject all that waits, and all that comes until `reopen()`, with `code`. */
  shut(code, message) {
    this.#shut = new CommandError(code, message);
    this.rejectAll(code, message);
  }

  reopen() {
    this.#shut = null;
  }

  rejectAll(code, message) {
    this.#send = null;
    for (const entry of [...this.#urgent, ...this.#queue]) {
      this.#settle(entry, () => entry.onError(new CommandError(code, message)));
    }
    this.#clock.clearTimeout(this.#wakeTimer);
  }

  /** Ask for a sign of life at once, past every queue; the answer only has to be heard. */
  ping() {
    this.#send?.(`{"id":${this.#nextId++},"cmd":"ping"}`);
  }

  /** A reply frame. False when it answers nothing that was ever sent. */
  reply(frame) {
    const entry = this.#inFlight.get(frame.reply);
    if (entry === undefined) {
      // 0 is the subscription that the path carries; smaller ids timed out, or were pings.
      return Number.isInteger(frame.reply) && frame.reply >= 0 && frame.reply < this.#nextId;
    }
    if (frame.ok === true) this.#settle(entry, () => entry.onOk(frame.data ?? {}));
    else this.#failed(entry, CommandError.fromReply(frame.error));
    return true;
  }

  #refusal(text, { ref, urgent }) {
    if (this.#shut !== null) return new CommandError(this.#shut.code, this.#shut.message);
    if (this.#send === null && !ref) return disconnected();
    const bytes = new TextEncoder().encode(text).length + ID_BYTES;
    if (bytes > FRAME_MAX_BYTES) {
      return new CommandError(
        "too_large",
        `expected a command of at most ${FRAME_MAX_BYTES} bytes, got ${bytes}`,
      );
    }
    if (!urgent && this.#queue.size >= QUEUE_MAX) {
      return new CommandError("queue_full", `${QUEUE_MAX} commands are waiting`, {
        temporary: true,
      });
    }
    return null;
  }

  #pump() {
    if (this.#send === null || this.#held) return;
    for (const entry of this.#urgent) this.#transmit(entry);
    // A message that waits for its retry holds back the later ones of its stream: people read them
    // in the order of writing. It does not hold back other streams.
    const blocked = new Set();
    const now = this.#clock.now();
    let wake = Infinity;
    for (const entry of this.#queue) {
      if (entry.id !== null || blocked.has(entry.stream)) continue;
      if (entry.notBefore > now) {
        if (entry.stream !== undefined) blocked.add(entry.stream);
        wake = Math.min(wake, entry.notBefore);
      } else this.#transmit(entry);
    }
    this.#clock.clearTimeout(this.#wakeTimer);
    if (wake < Infinity) {
      this.#wakeTimer = this.#clock.setTimeout(() => this.#pump(), wake - now);
    }
  }

  #transmit(entry) {
    if (entry.id !== null || this.#inFlight.size >= WINDOW) return;
    entry.id = this.#nextId++;
    this.#inFlight.set(entry.id, entry);
    if (entry.ref) {
      entry.replyTimer = this.#clock.setTimeout(
        () => this.#failed(entry, timeoutError("this command", REPLY_TIMEOUT_MS)),
        REPLY_TIMEOUT_MS,
      );
    }
    this.#send(`{"id":${entry.id},${entry.text.slice(1)}`);
  }

  #failed(entry, error) {
    if (!entry.ref || !error.temporary || entry.backoff.attempt + 1 >= MAX_ATTEMPTS) {
      this.#settle(entry, () => entry.onError(error));
      return;
    }
    this.#inFlight.delete(entry.id);
    this.#clock.clearTimeout(entry.replyTimer);
    entry.id = null;
    const delayMs = boundedRetryAfter(error.retryAfterMs) + entry.backoff.nextMs();
    entry.notBefore = this.#clock.now() + delayMs;
    this.#pump();
  }

  #settle(entry, call) {
    entry.lane.delete(entry);
    this.#inFlight.delete(entry.id);
    this.#clock.clearTimeout(entry.replyTimer);
    this.#clock.clearTimeout(entry.deadlineTimer);
    call();
    this.#pump();
  }
}

function disconnected() {
  return new CommandError("disconnected", "there is no connection", { temporary: true });
}

function timeoutError(cmd, ms) {
  return new CommandError("timeout", `expected a reply to ${cmd} within ${ms} ms, got none`, {
    temporary: true,
  });
}
