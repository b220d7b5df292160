// One stream: order, exactly once, gaps, resume, reset, snapshots, acknowledgements.
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

test("a reconnect resumes from the cursor and drops what it had", () => {
  const world = setUpOnline();
  const { log } = followLive(world);
  world.socket.event(6);
  comeBack(world);
  assert.deepEqual(last(world).since, { epoch: "e1", seq: 6 });
  const info = { stream: "project.1", epoch: "e1", head: 8, recovered: true, replay: 2 };
  world.socket.ok(last(world), info);
  for (const seq of [6, 7, 8, 9]) world.socket.event(seq);
  assert.deepEqual(log, [6, 7, 8, 9]);
});

test("a gap subscribes again, once, and nothing is handed over twice or out of order", () => {
  const world = setUpOnline();
  const { subscription, log } = followLive(world);
  world.socket.event(7);
  world.socket.event(8);
  world.socket.event(6); // of the old subscription: the replay will bring it again
  assert.equal(world.socket.commands("subscribe").length, 2);
  assert.deepEqual(last(world).since, { epoch: "e1", seq: 5 });
  const info = { stream: "project.1", epoch: "e1", head: 8, recovered: true, replay: 3 };
  world.socket.ok(last(world), info);
  for (const seq of [6, 7, 8]) world.socket.event(seq);
  assert.deepEqual(log, [6, 7, 8]);
  assert.equal(subscription.gaps, 1);
});

test("heads ahead of the cursor are a gap; heads at or below it are none", () => {
  const world = setUpOnline();
  followLive(world, 5);
  world.socket.emit(heartbeat({ "project.1": 5, "project.2": 9 }));
  world.socket.emit(heartbeat({ "project.1": 4 }));
  world.socket.emit(heartbeat({}));
  assert.equal(world.socket.commands("subscribe").length, 1);
  world.socket.emit(heartbeat({ "project.1": 6 }));
  world.socket.emit(heartbeat({ "project.1": 6 }));
  assert.equal(world.socket.commands("subscribe").length, 2, "once at a time");
});

test("a stream absent from heads is being caught up and is left alone", () => {
  const world = setUpOnline();
  const { log } = follow(world, { since: { epoch: "e1", seq: 1 } });
  const info = { stream: "project.1", epoch: "e1", head: 900, recovered: true, replay: 899 };
  world.socket.ok(last(world), info);
  world.socket.event(2);
  world.socket.emit(heartbeat({}));
  world.socket.event(3);
  assert.deepEqual(log, [2, 3]);
  assert.equal(world.socket.commands("subscribe").length, 1);
});

test("a gap that a new subscribe does not heal is asked for with back-off", () => {
  const world = setUpOnline();
  followLive(world, 5);
  const answer = () => {
    const info = { stream: "project.1", epoch: "e1", head: 9, recovered: true, replay: 0 };
    world.socket.ok(last(world), info);
    world.socket.emit(heartbeat({ "project.1": 9 }));
  };
  world.socket.emit(heartbeat({ "project.1": 9 }));
  assert.equal(world.socket.commands("subscribe").length, 2, "the first at once");
  answer();
  assert.equal(world.socket.commands("subscribe").length, 2, "the second not in a tight loop");
  world.clock.advance(1_000);
  assert.equal(world.socket.commands("subscribe").length, 3);
});

for (const reason of ["epoch", "trimmed"]) {
  test(`recovered:false (${reason}) replaces the state and moves to the new epoch`, () => {
    const world = setUpOnline();
    const { subscription, log } = followLive(world, 50);
    comeBack(world);
    const info = { stream: "project.1", epoch: "e2", head: 3, recovered: false, reason };
    world.socket.ok(last(world), { ...info, snapshot: "T" });
    world.socket.event(4);
    assert.deepEqual(log, ["snapshot T at 3", 4], "a smaller seq of a new epoch counts");
    assert.deepEqual(subscription.position, { epoch: "e2", seq: 4 });
  });
}

test("recovered:false without a snapshot still replaces the state", () => {
  const world = setUpOnline();
  const { log } = followLive(world, 5);
  comeBack(world);
  const info = { stream: "project.1", epoch: "e2", head: 0, recovered: false, reason: "epoch" };
  world.socket.ok(last(world), info);
  assert.deepEqual(log, ["snapshot null at 0"]);
});

test("stream_reset subscribes again with the position and asks for the snapshot", () => {
  const world = setUpOnline();
  const { log } = followLive(world, 5);
  world.socket.emit({ type: "stream_reset", stream: "project.1", reason: "epoch" });
  world.socket.event(6); // a late frame of the old epoch
  const { since, snapshot } = last(world);
  assert.deepEqual([since, snapshot], [{ epoch: "e1", seq: 5 }, true]);
  const info = { stream: "project.1", epoch: "e2", head: 1, recovered: false, reason: "epoch" };
  world.socket.ok(last(world), { ...info, snapshot: "T" });
  world.socket.event(2);
  assert.deepEqual(log, ["snapshot T at 1", 2]);
});

test("before the reply frames are ignored: they are of another subscription, maybe epoch", () => {
  // The path /ws/projects/1 subscribes by itself: its frames precede the reply to ours.
  const world = setUpOnline();
  const { log } = followLive(world, 5);
  comeBack(world);
  world.socket.emit({ reply: 0, ok: true, data: { stream: "project.1", epoch: "e2", head: 5 } });
  world.socket.event(6);
  assert.deepEqual(log, []);
  const info = { stream: "project.1", epoch: "e2", head: 6, recovered: false, reason: "epoch" };
  world.socket.ok(last(world), { ...info, snapshot: "T" });
  world.socket.event(7);
  assert.deepEqual(log, ["snapshot T at 6", 7]);
  assert.deepEqual(world.errors, []);
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

for (const [what, reply] of [
  ["an epoch that is not the cursor's", { epoch: "e2", head: 9, recovered: true, replay: 4 }],
  ["no recovered", { epoch: "e1", head: 9 }],
  ["no head", { epoch: "e1", recovered: true }],
]) {
  test(`a resume's reply with ${what} is reported and never believed`, () => {
    const world = setUpOnline();
    const { subscription } = followLive(world, 5);
    comeBack(world);
    world.socket.ok(last(world), { stream: "project.1", ...reply });
    assert.deepEqual(subscription.position, { epoch: "e1", seq: 5 });
    assert.equal(world.errors[0].name, "ProtocolError");
    world.clock.advance(1_000);
    assert.deepEqual([last(world).since.seq, last(world).snapshot], [5, true]);
  });
}

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

test("acks are cumulative, one a second for all streams, and only when a cursor moved", () => {
  const world = setUpOnline();
  followLive(world, 5, {}, "project.1");
  followLive(world, 50, {}, "project.2");
  world.clock.advance(5_000);
  assert.equal(world.socket.commands("ack").length, 0, "a snapshot acknowledges itself");
  for (const seq of [6, 7, 8]) world.socket.event(seq);
  world.socket.event(51, "project.2");
  world.clock.advance(999);
  assert.equal(world.socket.commands("ack").length, 0);
  world.clock.advance(1);
  const [ack, second] = world.socket.commands("ack");
  assert.deepEqual([ack.cursors, second], [{ "project.1": 8, "project.2": 51 }, undefined]);
  world.socket.ok(ack);
  world.clock.advance(5_000);
  assert.equal(world.socket.commands("ack").length, 1);
  world.socket.event(9);
  world.clock.advance(1_000);
  assert.deepEqual(world.socket.commands("ack")[1].cursors, { "project.1": 9 });
});

test("a resume acknowledges itself", () => {
  const world = setUpOnline();
  followLive(world, 5);
  world.socket.event(6);
  comeBack(world);
  const info = { stream: "project.1", epoch: "e1", head: 6, recovered: true, replay: 0 };
  world.socket.ok(last(world), info);
  world.clock.advance(5_000);
  assert.equal(world.sockets[0].commands("ack").length, 0);
  assert.equal(world.sockets[1].commands("ack").length, 0);
});

test("an ack that was refused for now is sent again with what came since", () => {
  const world = setUpOnline();
  followLive(world, 5);
  world.socket.event(6);
  world.clock.advance(1_000);
  world.socket.event(7);
  const refusal = { code: "rate_limited", temporary: true, retry_after_ms: 2_000 };
  world.socket.refuse(world.socket.commands("ack")[0], refusal);
  world.clock.advance(1_999);
  assert.equal(world.socket.commands("ack").length, 1);
  world.clock.advance(1);
  assert.deepEqual(world.socket.commands("ack")[1].cursors, { "project.1": 7 });
});

test("an unsubscribe and a close acknowledge first what was handed over", () => {
  const world = setUpOnline();
  const { subscription } = followLive(world, 5, {}, "project.1");
  followLive(world, 5, {}, "project.2");
  world.socket.event(6, "project.1");
  subscription.unsubscribe();
  world.socket.event(6, "project.2");
  world.client.close();
  const tail = world.socket.sent.slice(2).map(({ cmd, cursors }) => cursors ?? cmd);
  assert.deepEqual(tail, [{ "project.1": 6 }, "unsubscribe", { "project.2": 6 }]);
});

test("close() and connect() keep the place of a subscription", () => {
  const world = setUpOnline();
  followLive(world, 5);
  world.client.close();
  world.client.connect();
  world.socket.authenticate();
  assert.deepEqual(last(world).since, { epoch: "e1", seq: 5 });
});

test("another person on the socket starts from snapshots", () => {
  const world = setUpOnline();
  followLive(world, 5);
  world.socket.end(1006);
  world.clock.advance(500);
  world.socket.authenticate({ user: { id: 8, name: "Bob" } });
  assert.deepEqual([last(world).since, last(world).snapshot], [undefined, true]);
});

test("what concerns the subscription that is being replaced is ignored", () => {
  const world = setUpOnline();
  const { subscription, log } = follow(world);
  world.socket.emit(heartbeat({ "project.1": 9 }));
  world.socket.emit({ type: "stream_reset", stream: "project.1", reason: "epoch" });
  world.socket.emit({ type: "project_left", stream: "project.1", data: {} });
  assert.equal(world.socket.commands("subscribe").length, 1);
  world.socket.ok(last(world), { stream: "project.1", epoch: "e1", head: 5, snapshot: "S" });
  assert.deepEqual([subscription.live, log], [true, ["snapshot S at 5"]]);
});

test("a gap is healed at once again after events have come", () => {
  const world = setUpOnline();
  followLive(world, 5);
  world.socket.event(7);
  const info = { stream: "project.1", epoch: "e1", head: 7, recovered: true, replay: 2 };
  world.socket.ok(last(world), info);
  for (const seq of [6, 7, 9]) world.socket.event(seq);
  assert.equal(world.socket.commands("subscribe").length, 3);
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

test("in a smaller epoch acknowledgements start over", () => {
  const world = setUpOnline();
  followLive(world, 50);
  comeBack(world);
  const info = { stream: "project.1", epoch: "e2", head: 3, recovered: false, reason: "epoch" };
  world.socket.ok(last(world), { ...info, snapshot: "T" });
  world.socket.event(4);
  world.clock.advance(1_000);
  assert.deepEqual(world.socket.commands("ack")[0].cursors, { "project.1": 4 });
});

test("no two acks are less than a second apart", () => {
  const world = setUpOnline();
  followLive(world, 5);
  world.socket.event(6);
  world.clock.advance(500);
  world.socket.event(7);
  world.clock.advance(500);
  world.socket.ok(world.socket.commands("ack")[0]);
  world.clock.advance(200);
  world.socket.event(8);
  world.clock.advance(999);
  assert.equal(world.socket.commands("ack").length, 1);
  world.clock.advance(1);
  assert.equal(world.socket.commands("ack").length, 2);
});

test("an unsubscribe of what the server has ended already resolves", async () => {
  const world = setUpOnline();
  const { subscription } = followLive(world, 5);
  const done = subscription.unsubscribe();
  const refusal = { code: "not_subscribed", temporary: false };
  world.socket.refuse(world.socket.commands("unsubscribe")[0], refusal);
  await done;
});

test("the back-off of a refused subscribe starts over once it succeeded", () => {
  const world = setUpOnline();
  followLive(world, 5);
  const refused = (delayMs) => {
    const asked = world.socket.commands("subscribe").length;
    world.socket.refuse(last(world), { code: "unavailable", temporary: true });
    world.clock.advance(delayMs - 1);
    assert.equal(world.socket.commands("subscribe").length, asked);
    world.clock.advance(1);
    assert.equal(world.socket.commands("subscribe").length, asked + 1);
  };
  world.socket.event(7);
  refused(500);
  refused(1_000);
  const info = { stream: "project.1", epoch: "e1", head: 7, recovered: true, replay: 2 };
  world.socket.ok(last(world), info);
  for (const seq of [6, 7, 9]) world.socket.event(seq);
  refused(500);
});
