// Presence: a list kept level by counted differences, asked for again on a jump.
import assert from "node:assert/strict";
import { test } from "node:test";

import { comeBack, follow, setUp, setUpOnline } from "./fakes.mjs";

const ADA = { id: 7, name: "Ada" };
const BOB = { id: 8, name: "Bob" };
const list = (counter, ...users) => ({ users: users.map((user) => ({ user, state: "online" })), nonce: "n1", counter });

function present(world, presence = list(1, ADA)) {
  const lists = [];
  const show = (users) => lists.push(users && users.map(({ user, state }) => `${user.name} ${state}`));
  const followed = follow(world, { onPresence: show });
  reply(world, presence);
  return { ...followed, lists };
}

function reply(world, presence) {
  const command = world.socket.commands("subscribe").at(-1);
  const recovered = command.since === undefined ? {} : { recovered: true, replay: 0 };
  world.socket.ok(command, { stream: "project.1", epoch: "e1", head: 5, ...recovered, presence });
}

function differ(world, counter, type, user, state, nonce = "n1") {
  world.socket.emit({ type, stream: "project.1", ts: "t", data: { user, state, nonce, counter } });
}

const asked = (world) => world.socket.commands("presence");

test("differences in order change the list, repeated ones nothing", () => {
  const world = setUpOnline();
  const { lists } = present(world);
  differ(world, 2, "user_joined", BOB, "online");
  differ(world, 2, "user_joined", BOB, "online");
  differ(world, 3, "user_status_changed", BOB, "busy");
  differ(world, 4, "user_left", ADA, "offline");
  assert.deepEqual(lists, [["Ada online"], ["Ada online", "Bob online"], ["Ada online", "Bob busy"], ["Bob busy"]]);
  world.clock.advance(60_000);
  assert.deepEqual(asked(world), []);
});

test("a jump, another nonce and a heartbeat ahead ask for the list, once", () => {
  for (const happen of [
    (world) => differ(world, 3, "user_left", BOB, "offline"),
    (world) => differ(world, 1, "user_joined", BOB, "online", "n2"),
    (world) => world.socket.emit({ type: "heartbeat", ts: "t", heads: {}, presence: { "project.1": { nonce: "n1", counter: 2 } } }),
    (world) => world.socket.emit({ type: "heartbeat", ts: "t", heads: {}, presence: { "project.1": { nonce: "n2", counter: 0 } } }),
  ]) {
    const world = setUpOnline();
    const { lists } = present(world);
    happen(world);
    happen(world);
    world.clock.advance(1_000);
    assert.equal(asked(world).length, 1);
    world.socket.ok(asked(world)[0], list(9, ADA, BOB));
    assert.deepEqual(lists.at(-1), ["Ada online", "Bob online"]);
    world.clock.advance(20_000);
    assert.equal(asked(world).length, 1);
  }
});

test("questions are at least 4 s apart", () => {
  const world = setUpOnline();
  present(world);
  differ(world, 5, "user_left", BOB, "offline");
  world.clock.advance(1_000);
  world.socket.ok(asked(world)[0], list(5, ADA));
  differ(world, 8, "user_left", BOB, "offline");
  world.clock.advance(3_000);
  assert.equal(asked(world).length, 1);
  world.clock.advance(2_000);
  assert.equal(asked(world).length, 2);
});

test("a server that does not know says null, and its next heartbeat brings the list", () => {
  const world = setUpOnline();
  const { lists } = present(world, null);
  assert.deepEqual(lists, []);
  world.socket.emit({ type: "heartbeat", ts: "t", heads: {}, presence: { "project.1": { nonce: "n1", counter: 0 } } });
  world.clock.advance(1_000);
  world.socket.ok(asked(world)[0], list(2, ADA));
  assert.deepEqual(lists, [["Ada online"]]);
  comeBack(world);
  reply(world, null);
  assert.deepEqual(lists, [["Ada online"], null]);
});

test("a hidden tab says so, at once and after every subscribe; busy goes before", () => {
  const world = setUpOnline();
  present(world);
  world.page.visible(false);
  world.client.setBusy(true);
  world.client.setBusy(false);
  world.page.visible(true);
  world.page.visible(false);
  assert.deepEqual(asked(world).map(({ state }) => state), ["hidden", "busy", "hidden", "online", "hidden"]);
  comeBack(world);
  assert.deepEqual(asked(world), []);
  reply(world, list(4, ADA));
  assert.deepEqual(asked(world).map(({ stream, state }) => [stream, state]), [["project.1", "hidden"]]);
});

test("streams without presence are not told of", () => {
  const world = setUp();
  world.page.visible(false);
  world.client.connect();
  world.socket.authenticate();
  follow(world, { onPresence: () => assert.fail("expected no list") });
  reply(world, undefined);
  world.page.visible(true);
  assert.deepEqual(asked(world), []);
});

test("a closed client listens to the page no longer", () => {
  const world = setUpOnline();
  present(world);
  world.client.close();
  world.page.visible(false);
  assert.deepEqual(world.errors, []);
  assert.deepEqual(asked(world), []);
});
