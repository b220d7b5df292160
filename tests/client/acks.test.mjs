// Acknowledgements: cumulative, paced, and of what was handed over only.
import assert from "node:assert/strict";
import { test } from "node:test";

import { comeBack, followLive, setUpOnline } from "./fakes.mjs";

const last = (world) => world.socket.commands("subscribe").at(-1);

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
