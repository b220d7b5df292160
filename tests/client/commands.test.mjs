// Commands: replies, the offline queue, resends with one client_ref, refusals, timeouts, bounds.
import assert from "node:assert/strict";
import { test } from "node:test";

import { CommandError } from "../../realtime/static/realtime/client.js";
import { comeBack, follow, rejection, setUp, setUpOnline, settledness } from "./fakes.mjs";

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const sends = (socket) => socket.commands("send_message");
const bodies = (socket) => sends(socket).map(({ body }) => body);

test("a command resolves with the data of its own reply, in any order", async () => {
  const { client, socket } = setUpOnline();
  const one = client.command("history", { stream: "project.1" });
  const two = client.command("presence", { stream: "project.1" });
  const [first, second] = socket.sent;
  assert.notEqual(first.id, second.id);
  socket.ok(second, { users: [] });
  socket.ok(first, { events: [], more: false });
  assert.deepEqual(await one, { events: [], more: false });
  assert.deepEqual(await two, { users: [] });
});

test("a refusal rejects with CommandError in the protocol's words", async () => {
  const { client, socket } = setUpOnline();
  const promise = client.command("edit_message", { message: "m", body: "b" });
  const refusal = { code: "rate_limited", message: "slow down", temporary: true };
  socket.refuse(socket.sent[0], { ...refusal, retry_after_ms: 50 });
  const error = await rejection(promise);
  assert.ok(error instanceof CommandError);
  const { code, message, temporary, retryAfterMs } = error;
  assert.deepEqual(
    { code, message, temporary, retryAfterMs },
    { code: "rate_limited", message: "slow down", temporary: true, retryAfterMs: 50 },
  );
});

test("sendMessage adds a client_ref of its own, or keeps the one given", () => {
  const { client, socket } = setUpOnline();
  client.sendMessage("project.1", "a", { ask_ai: true });
  client.sendMessage("project.1", "b", { client_ref: "mine" });
  client.sendMessage("project.1", "c", { client_ref: undefined });
  const [a, b, c] = sends(socket);
  assert.match(a.client_ref, UUID);
  assert.deepEqual([a.stream, a.body, a.ask_ai], ["project.1", "a", true]);
  assert.equal(b.client_ref, "mine");
  assert.match(c.client_ref, UUID);
  assert.notEqual(a.client_ref, c.client_ref);
});

test("messages written offline, even before connect(), are sent once and in order", async () => {
  const world = setUp();
  const promises = ["a", "b", "c"].map((body) => world.client.sendMessage("project.1", body));
  world.client.connect();
  assert.deepEqual(world.socket.sent, []);
  world.socket.authenticate();
  assert.deepEqual(bodies(world.socket), ["a", "b", "c"]);
  sends(world.socket).forEach((command, n) => world.socket.ok(command, { seq: n }));
  assert.deepEqual(await Promise.all(promises), [{ seq: 0 }, { seq: 1 }, { seq: 2 }]);
  comeBack(world);
  assert.deepEqual(bodies(world.socket), []);
});

test("an unanswered message is sent again with the same client_ref, before newer ones", async () => {
  const world = setUpOnline();
  let settled = 0;
  const promise = world.client.sendMessage("project.1", "a");
  promise.then(() => (settled += 1));
  const [lost] = sends(world.socket);
  world.socket.end(1006);
  world.client.sendMessage("project.1", "b");
  world.clock.advance(500);
  world.socket.authenticate();
  const [again, newer] = sends(world.socket);
  assert.equal(again.client_ref, lost.client_ref);
  assert.deepEqual([again.body, newer.body], ["a", "b"]);
  assert.notEqual(again.id, lost.id, "a late reply can never be taken for another's");
  world.socket.ok(again, { seq: 9 });
  world.socket.ok(again, { seq: 10 });
  assert.deepEqual(await promise, { seq: 9 });
  assert.equal(settled, 1);
  assert.deepEqual(world.errors, []);
});

test("what the caller does to the fields afterwards does not change a resend", () => {
  const world = setUp();
  const fields = { stream: "project.1", body: "as written", client_ref: "r" };
  world.client.command("send_message", fields);
  fields.body = "changed";
  world.client.connect();
  world.socket.authenticate();
  assert.deepEqual(bodies(world.socket), ["as written"]);
});

test("commands without client_ref are lost with their socket, and say so", async () => {
  const world = setUpOnline();
  const promise = world.client.command("history", { stream: "project.1" });
  world.socket.end(1006);
  assert.equal((await rejection(promise)).code, "disconnected");
  const offline = await rejection(world.client.command("history", { stream: "project.1" }));
  assert.deepEqual([offline.code, offline.temporary], ["disconnected", true]);
});

test("the queue holds 256 and refuses the newest", async () => {
  const world = setUp();
  const waiting = Array.from({ length: 256 }, (_, n) => world.client.sendMessage("s", `${n}`));
  const error = await rejection(world.client.sendMessage("s", "one too many"));
  assert.deepEqual([error.code, error.temporary], ["queue_full", true]);
  world.client.connect();
  world.socket.authenticate();
  for (let n = 0; n < 256; n += 1) world.socket.ok(sends(world.socket)[n], { seq: n });
  assert.equal((await Promise.all(waiting)).length, 256);
  assert.equal(bodies(world.socket).at(-1), "255");
});

test("at most 16 commands are under way: the server queues 32 and then refuses", () => {
  const world = setUp();
  for (let n = 0; n < 40; n += 1) world.client.sendMessage("s", `${n}`);
  world.client.connect();
  world.socket.authenticate();
  assert.equal(world.socket.sent.length, 16);
  world.socket.ok(world.socket.sent[0]);
  assert.equal(world.socket.sent.length, 17);
});

test("after a reconnect subscriptions overtake the queue", () => {
  const world = setUp();
  for (let n = 0; n < 20; n += 1) world.client.sendMessage("project.1", `${n}`);
  follow(world, {}, "project.1");
  follow(world, {}, "project.2");
  world.client.connect();
  world.socket.authenticate();
  const order = world.socket.sent.map(({ cmd }) => cmd);
  assert.deepEqual(order.slice(0, 3), ["subscribe", "subscribe", "send_message"]);
  assert.equal(order.length, 16);
});

for (const code of ["rate_limited", "unavailable", "internal"]) {
  test(`a client_ref command is sent again after ${code}, not before retry_after_ms`, async () => {
    const world = setUpOnline({ random: () => 0 });
    const promise = world.client.sendMessage("project.1", "a");
    const refusal = { code, temporary: true, retry_after_ms: 900 };
    world.socket.refuse(sends(world.socket)[0], refusal);
    world.clock.advance(899);
    assert.equal(sends(world.socket).length, 1);
    world.clock.advance(1);
    const [first, second] = sends(world.socket);
    assert.equal(second.client_ref, first.client_ref);
    world.socket.ok(second, { seq: 4 });
    assert.deepEqual(await promise, { seq: 4 });
  });
}

test("retries are bounded and end with the server's last word", async () => {
  const world = setUpOnline();
  const promise = world.client.sendMessage("project.1", "a");
  for (let n = 0; n < 8; n += 1) {
    const refusal = { code: "unavailable", temporary: true, retry_after_ms: null };
    world.socket.refuse(sends(world.socket).at(-1), refusal);
    for (let second = 0; second < 30; second += 1) {
      world.clock.advance(1_000);
      world.socket.emit({ type: "heartbeat", ts: "t", heads: {} });
    }
  }
  assert.equal((await rejection(promise)).code, "unavailable");
  assert.equal(sends(world.socket).length, 8);
});

test("an error that is not temporary is final at once", async () => {
  const world = setUpOnline();
  const promise = world.client.sendMessage("project.1", "a");
  world.socket.refuse(sends(world.socket)[0], { code: "forbidden", temporary: false });
  assert.equal((await rejection(promise)).code, "forbidden");
  comeBack(world);
  assert.deepEqual(bodies(world.socket), []);
});

test("a message that waits for its retry holds back later ones of its stream only", () => {
  const world = setUpOnline();
  world.client.sendMessage("project.1", "a");
  world.socket.refuse(sends(world.socket)[0], { code: "rate_limited", temporary: true });
  world.client.sendMessage("project.1", "b");
  world.client.sendMessage("project.2", "elsewhere");
  world.client.command("history", { stream: "project.1" }).catch(() => {});
  assert.deepEqual(bodies(world.socket), ["a", "elsewhere"]);
  assert.equal(world.socket.commands("history").length, 1);
  world.clock.advance(500);
  assert.deepEqual(bodies(world.socket), ["a", "elsewhere", "a", "b"]);
});

test("a reply that never comes on a living socket is asked for again", () => {
  const world = setUpOnline({ random: () => 0 });
  world.client.sendMessage("project.1", "a");
  for (let second = 0; second < 30; second += 1) {
    world.clock.advance(1_000);
    world.socket.emit({ type: "heartbeat", ts: "t", heads: {} });
  }
  world.clock.advance(0);
  const [first, second] = sends(world.socket);
  assert.equal(second.client_ref, first.client_ref);
});

test("timeoutMs bounds the whole wait, and nothing is sent afterwards", async () => {
  const world = setUp();
  const promise = world.client.sendMessage("project.1", "a", {}, { timeoutMs: 1_000 });
  world.clock.advance(999);
  assert.equal(await settledness(promise), "pending");
  world.clock.advance(1);
  assert.equal((await rejection(promise)).code, "timeout");
  world.client.connect();
  world.socket.authenticate();
  assert.deepEqual(world.socket.sent, []);
});

test("a plain command times out after 15 s, and its late reply is no surprise", async () => {
  const world = setUpOnline();
  const promise = world.client.command("history", { stream: "project.1" });
  world.clock.advance(15_000);
  assert.equal((await rejection(promise)).code, "timeout");
  world.socket.ok(world.socket.sent[0], {});
  assert.deepEqual(world.errors, []);
});

test("a command above 64 KiB is refused here: on the wire it would cost the socket", async () => {
  const world = setUpOnline();
  const error = await rejection(world.client.sendMessage("project.1", "é".repeat(33_000)));
  assert.equal(error.code, "too_large");
  assert.deepEqual(world.socket.sent, []);
});

test("close() settles everything with closed, and so does every later command", async () => {
  const world = setUp();
  const before = world.client.sendMessage("project.1", "a");
  world.client.close();
  assert.equal((await rejection(before)).code, "closed");
  assert.equal((await rejection(world.client.sendMessage("project.1", "b"))).code, "closed");
  world.client.connect();
  const after = world.client.sendMessage("project.1", "c");
  world.socket.authenticate();
  assert.deepEqual(bodies(world.socket), ["c"]);
  world.socket.ok(sends(world.socket)[0], { seq: 1 });
  assert.deepEqual(await after, { seq: 1 });
});

test("a stop code settles everything with stopped", async () => {
  const world = setUpOnline();
  const promise = world.client.sendMessage("project.1", "a");
  world.socket.end(4401);
  assert.equal((await rejection(promise)).code, "stopped");
});

test("what one person wrote is never posted by the next", async () => {
  const world = setUpOnline();
  const promise = world.client.sendMessage("project.1", "Ada's");
  world.socket.end(1006);
  world.clock.advance(500);
  world.socket.authenticate({ user: { id: 8, name: "Bob" } });
  assert.equal((await rejection(promise)).code, "user_changed");
  assert.deepEqual(bodies(world.socket), []);
});

test("fields that are no JSON reject the promise and nothing else", async () => {
  const world = setUpOnline();
  const cycle = {};
  cycle.cycle = cycle;
  assert.ok((await rejection(world.client.command("typing", cycle))) instanceof TypeError);
  assert.deepEqual(world.errors, []);
});

test("client_ref is made without crypto.randomUUID, which plain http on a network lacks", () => {
  const { client, socket } = setUpOnline();
  const { randomUUID } = crypto;
  Object.defineProperty(crypto, "randomUUID", { value: undefined, configurable: true });
  try {
    client.sendMessage("project.1", "a");
    client.sendMessage("project.1", "b");
  } finally {
    Object.defineProperty(crypto, "randomUUID", { value: randomUUID, configurable: true });
  }
  const refs = sends(socket).map((command) => command.client_ref);
  assert.match(refs[0], /^[0-9a-f]{36}$/);
  assert.notEqual(refs[0], refs[1]);
});

test("a window full of lost commands is a window full again on the next socket", () => {
  const world = setUpOnline();
  for (let n = 0; n < 16; n += 1) world.client.sendMessage("s", `${n}`);
  comeBack(world);
  assert.equal(world.socket.sent.length, 16);
});

test("a settled command leaves no timer", async () => {
  const world = setUpOnline();
  const before = world.clock.pending;
  const plain = world.client.command("history", { stream: "s" });
  const kept = world.client.sendMessage("s", "a", {}, { timeoutMs: 60_000 });
  for (const command of world.socket.sent) world.socket.ok(command);
  await Promise.all([plain, kept]);
  assert.equal(world.clock.pending, before);
});
