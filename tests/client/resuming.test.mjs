// A stream that goes on: gaps, reconnects, resets, and replies that are not believed.
import assert from "node:assert/strict";
import { test } from "node:test";

import { comeBack, follow, followLive, setUpOnline } from "./fakes.mjs";

const heartbeat = (heads) => ({ type: "heartbeat", ts: "t", heads });
const last = (world) => world.socket.commands("subscribe").at(-1);

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
