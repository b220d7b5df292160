// What the list of messages shows.
import assert from "node:assert/strict";
import { test } from "node:test";

import { Pages } from "../../chat/static/chat/pages.js";
import { ReadMarks } from "../../chat/static/chat/reads.js";
import { emptyRoom, reduce } from "../../chat/static/chat/state.js";
import { timeline } from "../../chat/static/chat/view/timeline.js";
import { ADA, many, message, snapshot } from "./rows.mjs";

const open = (messages) => reduce(emptyRoom(ADA.id), { type: "snapshot", snapshot: snapshot({ messages }) });
const at = (time) => ({ created_at: `2026-01-0${time}:00.000Z` });

test("messages of one person within five minutes stand under one heading", () => {
  const rows = [message(1, at("1T12:00")), message(2, at("1T12:04")), message(3, at("1T12:30"))];
  const grouped = timeline(open(rows), ADA).filter((item) => !item.day).map((item) => item.grouped);
  assert.deepEqual(grouped, [false, true, false]);
});

test("a line stands between two days", () => {
  const items = timeline(open([message(1, at("1T12:00")), message(2, at("3T12:00"))]), ADA);
  assert.deepEqual(items.map((item) => Boolean(item.day)), [true, false, true, false]);
});

test("the row of a message on its way becomes the row of the settled one", () => {
  const sending = { type: "sending", client_ref: "r", body: "x", reply_to: null, ...at("1T12:00") };
  const pending = reduce(open([]), sending);
  const settled = reduce(pending, { type: "sent", message: message(1, { author: ADA, client_ref: "r" }), seq: 3 });
  const keyOf = (state) => timeline(state, ADA).at(-1).key;
  assert.equal(keyOf(pending), keyOf(settled));
});

test("the same state gives equal items, so that no row is filled twice", () => {
  const sending = { type: "sending", client_ref: "r", body: "x", reply_to: 7, ...at("1T12:00") };
  const state = reduce(open(many(3, message)), sending);
  const [first, second] = [timeline(state, ADA), timeline(state, ADA)];
  for (const [index, item] of first.entries()) {
    for (const name of Object.keys(item)) assert.equal(item[name], second[index][name], name);
  }
});

test("read marks are told once a second at most, forwards only", (context) => {
  // A plain stand-in: the mock timers of Node 18 and of Node 20 are switched on by different calls.
  const due = [];
  context.mock.method(globalThis, "setTimeout", (callback, ms) => due.push({ callback, ms }));
  const tick = () => due.splice(0).forEach(({ callback }) => callback());
  const told = [];
  const marks = new ReadMarks((seq) => told.push(seq));
  marks.restart(5, 0);
  for (const seq of [4, 5, 6, 7, 8]) marks.reached(seq);
  assert.deepEqual(told, [6]);
  assert.deepEqual(due.map(({ ms }) => ms), [1_000]);
  tick();
  assert.deepEqual(told, [6, 8]);
  tick();
  marks.reached(8);
  assert.deepEqual(told, [6, 8]);
});

test("older pages are followed until one holds something new, and a restart begins again", async () => {
  const asked = [];
  const rest = {
    get: async (path) => {
      asked.push(path);
      const from = Number(/cursor=(\d+)/.exec(path)?.[1] ?? 6);
      const results = [message(from), message(from - 1)];
      return { results, next: from > 2 ? `http://elsewhere/api/messages/?cursor=${from - 2}` : null };
    },
  };
  globalThis.location ??= { href: "http://127.0.0.1/" };
  const pages = new Pages(rest, "/api/messages/", "/api/memories/");
  const first = await pages.older("messages", () => [message(5), message(6)]);
  assert.deepEqual(first.rows.map((row) => row.id), [6, 5, 4, 3]);
  assert.equal(first.more, true);
  assert.equal(asked[1], "/api/messages/?cursor=4", "the page's own host");
  const last = await pages.older("messages", () => many(4, message, 3));
  assert.deepEqual([last.rows.map((row) => row.id), last.more], [[2, 1], false]);
  pages.restart("messages");
  await pages.older("messages", () => []);
  assert.equal(asked.at(-1), "/api/messages/?limit=50");
});
