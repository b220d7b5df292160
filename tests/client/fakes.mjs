// The documented fakes of the client's tests: a clock that is turned by hand, a WebSocket whose
// server is the test itself, and a browser window. Nothing here waits.
import { webcrypto } from "node:crypto";

import { RealtimeClient } from "../../realtime/static/realtime/client.js";

globalThis.crypto ??= webcrypto; // of browsers and of Node 20: Node 18 keeps it in a module

/** Time stands still until advance(ms); timers fire in the order of their due times. */
export class FakeClock {
  #now = 1_000_000;
  #timers = new Map();
  #nextId = 1;

  now = () => this.#now;

  setTimeout = (callback, ms) => {
    const id = this.#nextId++;
    this.#timers.set(id, { due: this.#now + ms, callback });
    return id;
  };

  clearTimeout = (id) => {
    this.#timers.delete(id);
  };

  get pending() {
    return this.#timers.size;
  }

  advance(ms) {
    const end = this.#now + ms;
    for (;;) {
      const next = [...this.#timers].sort((a, b) => a[1].due - b[1].due || a[0] - b[0])[0];
      if (next === undefined || next[1].due > end) break;
      this.#timers.delete(next[0]);
      this.#now = Math.max(this.#now, next[1].due);
      next[1].callback();
    }
    this.#now = end;
  }
}

/**
 * A WebSocket whose other end is the test: `sent` holds the decoded commands of the client,
 * `emit(frame)` is a frame of the server, `end(code, reason)` a close, `fail()` an error. Unlike a
 * real one it does nothing by itself: close() is only noted in `closedWith`, as on a dead network.
 */
export class FakeSocket {
  constructor(url, protocols, options) {
    Object.assign(this, { url, protocols, options, sent: [], closedWith: null });
  }

  send(text) {
    this.sent.push(JSON.parse(text));
  }

  close(code) {
    this.closedWith = code;
  }

  emit(frame) {
    this.onmessage?.({ data: typeof frame === "string" ? frame : JSON.stringify(frame) });
  }

  fail() {
    this.onerror?.(new Event("error"));
  }

  end(code, reason = "") {
    this.onclose?.({ code, reason });
  }

  /** The commands named `cmd`, oldest first. */
  commands(cmd) {
    return this.sent.filter((command) => command.cmd === cmd);
  }

  authenticate(data = {}) {
    const user = { id: 7, name: "Ada" };
    this.emit({ type: "authentication_success", data: { user, heartbeat_s: 25, ...data } });
  }

  ok(command, data = {}) {
    this.emit({ reply: command.id, ok: true, data });
  }

  refuse(command, error) {
    this.emit({ reply: command.id, ok: false, error: { message: "no", ...error } });
  }

  event(seq, stream = "project.1") {
    this.emit({ type: "new_message", stream, seq, id: `id-${seq}`, data: { n: seq } });
  }
}

/** A browser window with what the client listens to. */
export class FakeWindow extends EventTarget {
  location = { href: "https://pm.example/rooms/1?x#y" };
  navigator = { onLine: true };
  document = Object.assign(new EventTarget(), { visibilityState: "visible" });

  online(onLine) {
    this.navigator.onLine = onLine;
    this.dispatchEvent(new Event(onLine ? "online" : "offline"));
  }

  visible(yes) {
    this.document.visibilityState = yes ? "visible" : "hidden";
    this.document.dispatchEvent(new Event("visibilitychange"));
  }
}

/**
 * A client with all fakes. `random` is 1 unless given, so that a back-off delay is its ceiling.
 * `sockets` holds every socket opened, `states` and `errors` what the client reported.
 */
export function setUp(options = {}) {
  const clock = new FakeClock();
  const page = new FakeWindow();
  const sockets = [];
  class WebSocket extends FakeSocket {
    constructor(...values) {
      super(...values);
      sockets.push(this);
    }
  }
  const client = new RealtimeClient({
    WebSocket,
    clock,
    random: () => 1,
    environment: page,
    ...options,
  });
  const states = [];
  const errors = [];
  client.on("state", (state) => states.push(state));
  client.on("error", (error) => errors.push(error));
  const world = { client, clock, page, sockets, states, errors };
  Object.defineProperty(world, "socket", { get: () => sockets.at(-1) });
  return world;
}

/** setUp(), connected and authenticated. */
export function setUpOnline(options) {
  const world = setUp(options);
  world.client.connect();
  world.socket.authenticate();
  return world;
}

/** Subscribe and record what the handlers get, as short strings in `log`. */
export function follow(world, options = {}, stream = "project.1") {
  const log = [];
  const subscription = world.client.subscribe(stream, {
    snapshot: true,
    onSnapshot: (snapshot, info) => log.push(`snapshot ${snapshot} at ${info.head}`),
    onEvent: (frame) => log.push(frame.seq),
    onSignal: (frame) => log.push(frame.type),
    onLeft: (frame) => log.push(`left ${frame.type}`),
    ...options,
  });
  return { subscription, log };
}

/** follow() on an open socket, answered with a snapshot at `head`. */
export function followLive(world, head = 5, options = {}, stream = "project.1") {
  const followed = follow(world, options, stream);
  const command = world.socket.commands("subscribe").at(-1);
  world.socket.ok(command, { stream, epoch: "e1", head, snapshot: "S" });
  followed.log.length = 0;
  return followed;
}

/** Lose the socket, let the back-off pass, and authenticate on the next one. */
export function comeBack(world, code = 1006) {
  world.socket.end(code);
  world.clock.advance(world.client.state.retryAt - world.clock.now());
  world.socket.authenticate();
}

/** The error that a promise rejects with; fails when it resolves. */
export async function rejection(promise) {
  return promise.then(
    (value) => {
      throw new Error(`expected a rejection, got ${JSON.stringify(value)}`);
    },
    (error) => error,
  );
}

/** "pending", "resolved" or "rejected", once all microtasks have run. */
export async function settledness(promise) {
  let found = "pending";
  promise.then(
    () => (found = "resolved"),
    () => (found = "rejected"),
  );
  await new Promise((resolve) => setImmediate(resolve));
  return found;
}
