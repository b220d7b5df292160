// The socket: its address, states, liveness, the browser's events, its end.
import assert from "node:assert/strict";
import { test } from "node:test";

import { RealtimeClient } from "../../realtime/static/realtime/client.js";
import { FakeSocket, FakeWindow, follow, setUp, setUpOnline } from "./fakes.mjs";

const names = (states) => states.map(({ state }) => state);

test("a path becomes the page's own wss address, with pm.v1 offered", () => {
  const { client, sockets } = setUp({ url: "/ws" });
  assert.equal(sockets.length, 0, "nothing is opened before connect()");
  client.connect();
  client.connect();
  assert.equal(sockets.length, 1, "a second connect() opens no second socket");
  assert.equal(sockets[0].url, "wss://pm.example/ws");
  assert.deepEqual(sockets[0].protocols, ["pm.v1"]);
});

test("in Node headers are the third argument and the address must be absolute", () => {
  const headers = { Authorization: "Api-Key k" };
  const { client, sockets } = setUp({ url: "http://h:1/ws", headers, environment: {} });
  client.connect();
  assert.equal(sockets[0].url, "ws://h:1/ws");
  assert.deepEqual(sockets[0].options, { headers });
  const options = { url: "/ws", WebSocket: FakeSocket, environment: {} };
  assert.throws(() => new RealtimeClient(options), /expected an absolute URL/);
});

test("connecting becomes online with authentication_success, and says whose it is", () => {
  const { client, sockets, states } = setUp();
  client.connect();
  let user;
  client.on("authenticated", (data) => (user = data.user));
  assert.deepEqual(names(states), ["connecting"]);
  sockets[0].authenticate();
  assert.deepEqual(names(states), ["connecting", "online"]);
  assert.equal(client.state.state, "online");
  assert.deepEqual(user, { id: 7, name: "Ada" });
});

test("commands work in the handler that hears of online", () => {
  const world = setUp();
  world.client.on("state", ({ state }) => {
    if (state === "online") world.client.command("presence", { stream: "project.1" });
  });
  world.client.connect();
  world.socket.authenticate();
  assert.equal(world.socket.commands("presence").length, 1);
});

test("a silent socket is dropped after heartbeat_s + 5 s, without waiting for its close", () => {
  const world = setUp();
  world.client.connect();
  world.socket.authenticate({ heartbeat_s: 10 });
  world.clock.advance(14_000);
  world.socket.emit({ type: "heartbeat", ts: "t", heads: {} });
  world.clock.advance(14_999);
  assert.equal(world.client.state.state, "online");
  world.clock.advance(1);
  assert.equal(world.client.state.state, "waiting");
  assert.equal(world.sockets[0].closedWith, 3000);
  world.clock.advance(500);
  assert.equal(world.sockets.length, 2);
  world.sockets[0].end(4401);
  assert.equal(world.client.state.state, "connecting", "the old socket's close means nothing");
});

test("a socket that never authenticates is given up after 15 s", () => {
  const world = setUp();
  world.client.connect();
  world.clock.advance(14_999);
  assert.equal(world.client.state.state, "connecting");
  world.clock.advance(1);
  assert.equal(world.client.state.state, "waiting");
});

test("becoming visible pings at once and drops a socket that is dead", () => {
  const world = setUpOnline();
  world.page.visible(false);
  assert.equal(world.socket.commands("ping").length, 0);
  world.page.visible(true);
  assert.equal(world.socket.commands("ping").length, 1);
  world.clock.advance(4_999);
  assert.equal(world.client.state.state, "online");
  world.clock.advance(1);
  assert.equal(world.client.state.state, "waiting");
});

test("any frame answers the visibility check", () => {
  const world = setUpOnline();
  world.page.visible(true);
  world.socket.ok(world.socket.commands("ping")[0], { ts: "t" });
  world.clock.advance(6_000);
  assert.equal(world.client.state.state, "online");
  assert.equal(world.errors.length, 0);
});

test("becoming visible cuts the back-off short", () => {
  const world = setUpOnline();
  world.socket.end(1006);
  world.page.visible(true);
  assert.equal(world.sockets.length, 2);
});

test("offline is said while the browser has no network; online reconnects immediately", () => {
  const world = setUpOnline();
  world.page.online(false);
  assert.equal(world.client.state.state, "online", "the socket is asked before it is given up");
  world.clock.advance(5_000);
  assert.equal(world.client.state.state, "offline");
  world.page.online(true);
  assert.equal(world.client.state.state, "connecting");
  assert.equal(world.sockets.length, 2);
  world.clock.advance(1_000);
  assert.equal(world.sockets.length, 2, "the old retry timer is gone");
});

test("a wait becomes offline when the network goes", () => {
  const world = setUpOnline();
  world.socket.end(1006);
  world.page.online(false);
  assert.equal(world.client.state.state, "offline");
  assert.equal(world.client.state.reason.code, 1006);
});

test("close() closes with 1000, stops listening, and leaves no timer", () => {
  const world = setUpOnline();
  follow(world);
  world.client.close();
  assert.equal(world.socket.closedWith, 1000);
  assert.deepEqual(names(world.states), ["connecting", "online", "closed"]);
  world.page.online(true);
  world.page.visible(true);
  world.clock.advance(120_000);
  assert.equal(world.sockets.length, 1);
  assert.equal(world.clock.pending, 0);
});

test("close() in a state handler is final, in every state", () => {
  for (const last of ["connecting", "online", "waiting"]) {
    const world = setUp();
    world.client.on("state", ({ state }) => {
      if (state === last) world.client.close();
    });
    world.client.connect();
    world.socket?.authenticate();
    world.socket?.end(1006);
    world.clock.advance(60_000);
    assert.equal(world.client.state.state, "closed", last);
    assert.ok(world.sockets.length <= 1, last);
    assert.equal(world.clock.pending, 0, last);
  }
});

test("protocols may be a function: a fresh ticket for every attempt", async () => {
  let tickets = 0;
  const protocols = async () => ["pm.v1", `pm.ticket.${++tickets}`];
  const world = setUp({ protocols });
  world.client.connect();
  await new Promise(setImmediate);
  world.socket.end(1006);
  world.clock.advance(500);
  await new Promise(setImmediate);
  assert.deepEqual(
    world.sockets.map((socket) => socket.protocols[1]),
    ["pm.ticket.1", "pm.ticket.2"],
  );
});

const turn = () => new Promise(setImmediate);

/** A client that is connecting, whose tickets are what `world.give` gives: numbered, at last. */
function setUpWithTickets(first = null) {
  let count = 0;
  const numbered = () => `pmt_${++count}`;
  const world = setUp({ ticket: async () => world.give() });
  world.give = first ?? numbered;
  world.client.connect();
  world.give = numbered;
  return world;
}

test("ticket: every attempt offers a fresh one beside pm.v1", async () => {
  const world = setUpWithTickets();
  assert.equal(world.sockets.length, 0, "nothing is opened before the ticket is there");
  await turn();
  world.socket.authenticate();
  world.socket.end(1006);
  world.clock.advance(500);
  await turn();
  assert.deepEqual(
    world.sockets.map((socket) => socket.protocols),
    [
      ["pm.v1", "pm.ticket.pmt_1"],
      ["pm.v1", "pm.ticket.pmt_2"],
    ],
  );
  assert.throws(() => setUp({ ticket: "pmt_1" }), /expected a function/);
});

test("ticket: null means that nobody is signed in, and connect() asks again", async () => {
  const world = setUpWithTickets(() => null);
  await turn();
  assert.equal(world.client.state.state, "stopped");
  assert.equal(world.client.state.reason.name, "unauthorized");
  assert.equal(world.sockets.length, 0);
  assert.equal(world.clock.pending, 0);
  world.client.connect();
  await turn();
  assert.deepEqual(world.socket.protocols, ["pm.v1", "pm.ticket.pmt_1"]);
});

test("ticket: one that was refused is replaced once; a second refusal stops", async () => {
  const world = setUpWithTickets();
  await turn();
  world.socket.end(4401);
  assert.equal(world.client.state.state, "waiting");
  world.clock.advance(500);
  await turn();
  assert.equal(world.sockets.length, 2);
  world.socket.end(4401);
  assert.equal(world.client.state.state, "stopped");
  world.client.connect();
  await turn();
  world.socket.authenticate();
  for (const expired of [3, 4]) {
    assert.equal(world.sockets.length, expired);
    world.socket.end(4401, "credentials expired");
    assert.equal(world.client.state.state, "waiting", "each socket that was let in counts anew");
    world.clock.advance(1_000);
    await turn();
    world.socket.authenticate();
  }
  world.socket.end(4409);
  assert.equal(world.client.state.state, "stopped", "signed out is signed out");
});

test("ticket: a fetch that fails is a failed attempt, reported and tried again", async () => {
  const world = setUpWithTickets(() => {
    throw new Error("no network");
  });
  await turn();
  assert.equal(world.client.state.state, "waiting");
  assert.equal(world.errors[0].message, "no network");
  world.clock.advance(500);
  await turn();
  assert.equal(world.sockets.length, 1);
});

test("a ticket that cannot be fetched is a failed attempt, reported", async () => {
  const protocols = () => {
    throw new Error("no ticket");
  };
  const world = setUp({ protocols });
  world.client.connect();
  await new Promise(setImmediate);
  assert.equal(world.client.state.state, "waiting");
  assert.equal(world.errors[0].message, "no ticket");
});

test("a ticket that comes after close() opens nothing", async () => {
  const world = setUp({ protocols: async () => ["pm.v1"] });
  world.client.connect();
  world.client.close();
  await new Promise(setImmediate);
  assert.equal(world.sockets.length, 0);
});

test("an address that the constructor refuses stops the client with the reason", () => {
  class Refusing {
    constructor() {
      throw new SyntaxError("mixed content");
    }
  }
  const world = setUp({ WebSocket: Refusing });
  world.client.connect();
  assert.equal(world.client.state.state, "stopped");
  assert.match(world.client.state.reason.text, /mixed content/);
});

test("frames that are no protocol are reported and cost nothing", () => {
  const world = setUpOnline();
  const unaddressed = ['{"a":1}', '{"reply":99,"ok":true}', '{"type":"x","seq":1}'];
  for (const bad of ["{", "null", "[]", "7", ...unaddressed]) world.socket.emit(bad);
  assert.equal(world.errors.length, 7);
  assert.ok(world.errors.every((error) => error.name === "ProtocolError"));
  assert.equal(world.client.state.state, "online");
});

test("an unknown event name is refused with the known ones", () => {
  const { client } = setUp({ environment: new FakeWindow() });
  assert.throws(() => client.on("sate", () => {}), /expected an event out of state, .*got sate/);
});

test("close() in the handler of authenticated is the last word", () => {
  const world = setUp();
  world.client.on("authenticated", () => world.client.close());
  world.client.connect();
  world.socket.authenticate();
  assert.deepEqual(names(world.states), ["connecting", "closed"]);
});

test("a second authentication_success on one socket restores nothing twice", () => {
  const world = setUpOnline();
  follow(world);
  world.socket.authenticate();
  assert.equal(world.socket.commands("subscribe").length, 1);
  assert.deepEqual(names(world.states), ["connecting", "online"]);
});

test("the page's listeners are removed when the client ends", () => {
  const world = setUp();
  let listeners = 0;
  for (const target of [world.page, world.page.document]) {
    const { addEventListener, removeEventListener } = target;
    target.addEventListener = (...values) => {
      listeners += 1;
      addEventListener.apply(target, values);
    };
    target.removeEventListener = (...values) => {
      listeners -= 1;
      removeEventListener.apply(target, values);
    };
  }
  world.client.connect();
  assert.equal(listeners, 4);
  world.client.close();
  assert.equal(listeners, 0);
});

test("an address with a fragment, which a WebSocket refuses, loses it", () => {
  const { client, sockets } = setUp({ url: "/ws#top" });
  client.connect();
  assert.equal(sockets[0].url, "wss://pm.example/ws");
});

test("an error without a close, as Node 20 has it when connecting fails, is a lost socket", () => {
  const world = setUp();
  world.client.connect();
  world.socket.fail();
  world.clock.advance(1_000);
  assert.equal(world.client.state.state, "waiting");
});

test("an error with its close counts once", () => {
  const world = setUpOnline();
  world.socket.fail();
  world.socket.end(4401, "expired");
  world.clock.advance(5_000);
  assert.deepEqual([world.client.state.state, world.sockets.length], ["stopped", 1]);
});
