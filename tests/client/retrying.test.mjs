// When a lost socket is opened again: close codes, back-off, delays that the server asked for.
import assert from "node:assert/strict";
import { test } from "node:test";

import { setUp, setUpOnline } from "./fakes.mjs";

test("back-off doubles from 0.5 s to 30 s under full jitter", () => {
  let random = 1;
  const world = setUp({ random: () => random });
  world.client.connect();
  const delays = [];
  for (let attempt = 0; attempt < 9; attempt += 1) {
    world.socket.end(1006);
    delays.push(world.client.state.retryAt - world.clock.now());
    world.clock.advance(delays.at(-1));
  }
  assert.deepEqual(delays, [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
  assert.equal(world.sockets.length, 10);
  random = 0.25;
  world.socket.end(1006);
  assert.equal(world.client.state.retryAt - world.clock.now(), 7500);
});

test("the socket is opened when the delay is over and not before", () => {
  const world = setUpOnline();
  world.socket.end(1006);
  assert.equal(world.client.state.state, "waiting");
  world.clock.advance(499);
  assert.equal(world.sockets.length, 1);
  world.clock.advance(1);
  assert.equal(world.sockets.length, 2);
  assert.equal(world.client.state.state, "connecting");
});

test("only a connection that held 10 s resets the back-off", () => {
  const world = setUp();
  world.client.connect();
  const delayAfter = (livedMs) => {
    world.socket.authenticate();
    world.clock.advance(livedMs);
    world.socket.end(1011);
    const delayMs = world.client.state.retryAt - world.clock.now();
    world.clock.advance(delayMs);
    return delayMs;
  };
  assert.deepEqual([delayAfter(100), delayAfter(9_999), delayAfter(100)], [500, 1000, 2000]);
  assert.deepEqual([delayAfter(10_000), delayAfter(100)], [500, 1000]);
});

for (const code of [1007, 1009, 4400, 4401, 4403, 4409, 4499]) {
  test(`close code ${code} stops, and connect() starts again`, () => {
    const world = setUpOnline();
    world.socket.end(code, "why");
    const { state, reason, retryAt } = world.client.state;
    assert.equal(state, "stopped");
    assert.deepEqual([reason.code, reason.text, retryAt], [code, "why", null]);
    world.clock.advance(3_600_000);
    world.page.online(true);
    assert.equal(world.sockets.length, 1);
    assert.equal(world.clock.pending, 0, "a stopped client leaves no timer");
    world.client.connect();
    assert.equal(world.sockets.length, 2);
  });
}

for (const code of [1001, 1005, 1006, 1011, 1012, 4500, 4503, 4508, 4529]) {
  test(`close code ${code} is retried`, () => {
    const world = setUpOnline();
    world.socket.end(code);
    assert.equal(world.client.state.state, "waiting");
    world.clock.advance(500);
    assert.equal(world.sockets.length, 2);
  });
}

test("the server's 1000 ends the connection", () => {
  const world = setUpOnline();
  world.socket.end(1000);
  assert.equal(world.client.state.state, "closed");
  world.clock.advance(60_000);
  assert.equal(world.sockets.length, 1);
});

for (const [form, reason] of [
  ["JSON", '{"retry_after_ms":12340}'],
  ["text", "overloaded, retry_after_ms=12340"],
]) {
  test(`retry_after_ms in a close reason (${form}) is waited for, whatever else says now`, () => {
    const world = setUpOnline({ random: () => 0 });
    world.socket.end(4503, reason);
    assert.equal(world.client.state.retryAt - world.clock.now(), 12_340);
    world.page.online(true);
    world.page.visible(true);
    world.client.connect();
    world.clock.advance(12_339);
    assert.equal(world.sockets.length, 1);
    world.clock.advance(1);
    assert.equal(world.sockets.length, 2);
  });
}

test("an absurd retry_after_ms is bounded: setTimeout fires at once above 2^31", () => {
  const world = setUpOnline({ random: () => 0 });
  world.socket.end(4529, '{"retry_after_ms":99999999999}');
  assert.equal(world.client.state.retryAt - world.clock.now(), 600_000);
});

test("an announced shutdown uses the socket until 1012 and reconnects at once", () => {
  const world = setUpOnline();
  const heard = [];
  world.client.on("signal", (frame) => heard.push(frame.type));
  world.socket.emit({ type: "server_shutdown", data: { reconnect_after_ms: 1834 } });
  world.client.command("presence", { stream: "project.1" }).catch(() => {});
  assert.equal(world.socket.commands("presence").length, 1, "still in use");
  assert.equal(world.client.state.state, "online");
  world.clock.advance(1834);
  assert.equal(world.sockets.length, 1, "the server closes, not the client");
  world.socket.end(1012);
  world.clock.advance(0);
  assert.equal(world.sockets.length, 2);
  assert.deepEqual(heard, ["server_shutdown"]);
});

test("a draining node that refuses newcomers is not asked in a tight loop", () => {
  const world = setUp({ random: () => 0 });
  world.client.connect();
  world.socket.emit({ type: "server_shutdown", data: { reconnect_after_ms: 3000 } });
  world.socket.end(1012);
  world.clock.advance(2_999);
  assert.equal(world.sockets.length, 1);
  world.clock.advance(1);
  assert.equal(world.sockets.length, 2);
});

test("connect() after a stop starts the back-off anew", () => {
  const world = setUp();
  world.client.connect();
  for (const delayMs of [500, 1000, 2000]) {
    world.socket.end(1006);
    world.clock.advance(delayMs);
  }
  world.socket.end(4401);
  world.client.connect();
  world.socket.end(1006);
  assert.equal(world.client.state.retryAt - world.clock.now(), 500);
});

test("an announcement counts for its own socket only", () => {
  const world = setUpOnline();
  world.socket.emit({ type: "server_shutdown", data: { reconnect_after_ms: 10 } });
  world.socket.end(1012);
  world.clock.advance(0);
  world.socket.authenticate();
  world.clock.advance(20_000);
  world.socket.end(1012);
  assert.equal(world.client.state.retryAt - world.clock.now(), 500);
});
