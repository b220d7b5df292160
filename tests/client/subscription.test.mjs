// One subscription: its snapshot, order, exactly once, handlers, its end.
import assert from "node:assert/strict";
import { test } from "node:test";

import { comeBack, follow, followLive, setUp, setUpOnline } from "./fakes.mjs";

const heartbeat = (heads) => ({ type: "heartbeat", ts: "t", heads });
const last = (world) => world.socket.commands("subscribe").at(-1);

test("a fresh page asks for the snapshot and goes on from its head", () => {
  const world = setUp();
  const { subscription, log } = follow(world);
  assert.equal(subscription.position, null);
  world.client.connect();
  assert.equal(world.socket.sent.length, 0, "nothing before authentication");
  world.socket.authenticate();
  const { id, ...command } = last(world);
  assert.deepEqual(command, { cmd: "subscribe", stream: "project.1", snapshot: true });
  assert.ok(Number.isInteger(id) && id > 0);
  world.socket.ok(last(world), { stream: "project.1", epoch: "e1", head: 5, snapshot: "S" });
  world.socket.event(6);
  assert.deepEqual(log, ["snapshot S at 5", 6]);
  assert.deepEqual(subscription.position, { epoch: "e1", seq: 6 });
});

test("without the snapshot option none is asked for, and events follow the head", () => {
  const world = setUpOnline();
  const { log } = follow(world, { snapshot: false });
  assert.equal("snapshot" in last(world), false);
  world.socket.ok(last(world), { stream: "project.1", epoch: "e1", head: 5 });
  world.socket.event(6);
  assert.deepEqual(log, [6]);
});

test("since is sent and an empty state with a position is resumed, not replaced", () => {
  const world = setUpOnline();
  const { log } = follow(world, { since: { epoch: "e1", seq: 3 } });
  assert.deepEqual(last(world).since, { epoch: "e1", seq: 3 });
  assert.equal("snapshot" in last(world), false);
  const info = { stream: "project.1", epoch: "e1", head: 5, recovered: true, replay: 2 };
  world.socket.ok(last(world), info);
  world.socket.event(4);
  world.socket.event(5);
  assert.deepEqual(log, [4, 5]);
});

test("onSubscribed gets every reply, after onSnapshot", () => {
  const world = setUpOnline();
  const order = [];
  follow(world, {
    onSnapshot: () => order.push("snapshot"),
    onSubscribed: (info) => order.push(info.presence),
  });
  const reply = { stream: "project.1", epoch: "e1", head: 0, snapshot: "S", presence: ["Ada"] };
  world.socket.ok(last(world), reply);
  assert.deepEqual(order, ["snapshot", ["Ada"]]);
});

test("duplicates are dropped", () => {
  const world = setUpOnline();
  const { log } = followLive(world);
  for (const seq of [6, 6, 5, 1, 7, 7]) world.socket.event(seq);
  assert.deepEqual(log, [6, 7]);
});

test("frames are handed over in the tick of the reply that they follow", () => {
  // `ws` may emit a reply and its replay without a microtask between them.
  const world = setUpOnline();
  const { log } = follow(world);
  world.socket.ok(last(world), { stream: "project.1", epoch: "e1", head: 0, snapshot: "S" });
  for (let seq = 1; seq <= 600; seq += 1) world.socket.event(seq);
  assert.equal(log.length, 601);
});

test("signals arrive while live, and not before the reply", () => {
  const world = setUpOnline();
  const { log } = follow(world);
  const signal = { type: "typing_indicator", stream: "project.1", data: {} };
  world.socket.emit(signal);
  world.socket.ok(last(world), { stream: "project.1", epoch: "e1", head: 0, snapshot: "S" });
  world.socket.emit(signal);
  assert.deepEqual(log, ["snapshot S at 0", "typing_indicator"]);
});

test("project_left without seq ends the subscription; with seq it is an event", () => {
  const world = setUpOnline();
  const { subscription, log } = followLive(world, 5);
  world.socket.emit({ type: "project_left", stream: "project.1", seq: 6, data: { user: 9 } });
  assert.deepEqual(log, [6]);
  world.socket.emit({ type: "project_left", stream: "project.1", data: {} });
  world.socket.event(7);
  assert.deepEqual(log, [6, "left project_left"]);
  assert.equal(subscription.ended, true);
  comeBack(world);
  assert.equal(world.socket.commands("subscribe").length, 0, "not subscribed again");
});

test("a subscribe that is refused for good ends the subscription, and a new one may follow", () => {
  const world = setUpOnline();
  const left = [];
  follow(world, { onLeft: (frame) => left.push(frame) });
  world.socket.refuse(last(world), { code: "forbidden", temporary: false });
  assert.deepEqual([left[0].type, left[0].error.code], ["subscribe_refused", "forbidden"]);
  follow(world);
  assert.equal(world.socket.commands("subscribe").length, 2);
});

test("a subscribe that is refused for now is asked again after retry_after_ms", () => {
  const world = setUpOnline({ random: () => 0 });
  follow(world);
  world.socket.refuse(last(world), { code: "rate_limited", temporary: true, retry_after_ms: 700 });
  world.clock.advance(699);
  assert.equal(world.socket.commands("subscribe").length, 1);
  world.clock.advance(1);
  assert.equal(world.socket.commands("subscribe").length, 2);
  assert.equal(last(world).snapshot, true);
});

test("a subscribe without any reply is asked again", () => {
  const world = setUpOnline();
  follow(world);
  for (let second = 0; second < 16; second += 1) {
    world.clock.advance(1_000);
    world.socket.emit(heartbeat({}));
  }
  assert.equal(world.socket.commands("subscribe").length, 2);
});

test("after unsubscribe nothing is handed over, and the promise waits for the reply", async () => {
  const world = setUpOnline();
  const { subscription, log } = followLive(world, 5);
  const done = subscription.unsubscribe();
  world.socket.event(6);
  world.socket.emit({ type: "typing_indicator", stream: "project.1", data: {} });
  assert.deepEqual(log, []);
  world.socket.ok(world.socket.commands("unsubscribe")[0]);
  await done;
  comeBack(world);
  assert.equal(world.socket.commands("subscribe").length, 0);
});

test("unsubscribe and subscribe at once: only the new subscription gets frames", async () => {
  const world = setUpOnline();
  const { subscription, log: old } = followLive(world, 5);
  const done = subscription.unsubscribe();
  const { log } = follow(world);
  world.socket.event(6); // of the old one, before the server saw the unsubscribe
  world.socket.ok(world.socket.commands("unsubscribe")[0]);
  world.socket.ok(last(world), { stream: "project.1", epoch: "e1", head: 6, snapshot: "S" });
  world.socket.event(7);
  await done;
  assert.deepEqual([old, log], [[], ["snapshot S at 6", 7]]);
});

test("unsubscribe without a connection resolves at once", async () => {
  const world = setUp();
  await follow(world).subscription.unsubscribe();
  world.client.connect();
  world.socket.authenticate();
  assert.deepEqual(world.socket.sent, []);
});

test("a second subscription of a stream is refused", () => {
  const world = setUpOnline();
  follow(world);
  assert.throws(() => follow(world), /expected one subscription per stream/);
});

test("streams have their own cursors", () => {
  const world = setUpOnline();
  const one = followLive(world, 5, {}, "project.1");
  const two = followLive(world, 50, {}, "project.2");
  world.socket.event(51, "project.2");
  world.socket.event(6, "project.1");
  comeBack(world);
  const since = world.socket.commands("subscribe").map((command) => command.since.seq);
  assert.deepEqual([one.log, two.log, since], [[6], [51], [6, 51]]);
});

test("an exception in a handler is reported, and the event is not handed over again", async () => {
  const world = setUpOnline();
  const seen = [];
  followLive(world, 5, {
    onEvent: ({ seq }) => {
      seen.push(seq);
      if (seq === 6) throw new Error("handler");
      if (seq === 7) return Promise.reject(new Error("async handler"));
      return undefined;
    },
  });
  for (const seq of [6, 6, 7, 8]) world.socket.event(seq);
  await new Promise(setImmediate);
  assert.deepEqual(seen, [6, 7, 8]);
  assert.deepEqual(world.errors.map((error) => error.message), ["handler", "async handler"]);
  assert.equal(world.socket.commands("subscribe").length, 1);
});

test("a snapshot that was asked for and does not exist is handed over as null", () => {
  const world = setUpOnline();
  const { log } = follow(world);
  world.socket.ok(last(world), { stream: "project.1", epoch: "e1", head: 5 });
  assert.deepEqual(log, ["snapshot null at 5"]);
});

test("live says whether frames can come", () => {
  const world = setUpOnline();
  const { subscription } = followLive(world, 5);
  assert.equal(subscription.live, true);
  world.socket.end(1006);
  assert.equal(subscription.live, false);
});

test("an unsubscribe of what the server has ended already resolves", async () => {
  const world = setUpOnline();
  const { subscription } = followLive(world, 5);
  const done = subscription.unsubscribe();
  const refusal = { code: "not_subscribed", temporary: false };
  world.socket.refuse(world.socket.commands("unsubscribe")[0], refusal);
  await done;
});
