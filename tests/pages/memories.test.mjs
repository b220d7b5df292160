// Memories as the page holds and reads them.
import assert from "node:assert/strict";
import { test } from "node:test";

import { filteredMemories, neighbourhood, orderedMemories } from "../../chat/static/chat/memories.js";
import { emptyRoom, reduce } from "../../chat/static/chat/state.js";
import { ADA, event, many, memory, snapshot } from "./rows.mjs";

const open = (memories) => reduce(emptyRoom(ADA.id), { type: "snapshot", snapshot: snapshot({ memories }) });
const happened = (type, data) => ({ type: "event", frame: event(type, data) });
const ids = (rows) => rows.map(({ id }) => id);

test("proposals come first, then what is pinned, then the newest", () => {
  const rows = [memory(1, { pinned: true }), memory(2), memory(3), memory(4, { status: "proposed" })];
  assert.deepEqual(ids(orderedMemories(open(rows))), [4, 1, 3, 2]);
});

test("filters let through what fits all of them", () => {
  const rows = [
    memory(1, { kind: "issue", title: "Antenna Damper", body: "came loose" }),
    memory(2, { kind: "issue", pinned: true }),
    memory(3, { expires_at: "2026-01-02T12:00:00.000Z", reference: "damper-1" }),
    memory(4, { status: "proposed" }),
  ];
  const let_through = (filter) => ids(filteredMemories(rows, filter));
  assert.deepEqual(let_through({}), [1, 2, 3, 4]);
  assert.deepEqual(let_through({ kind: "issue" }), [1, 2]);
  assert.deepEqual(let_through({ kind: "issue", show: "pinned" }), [2]);
  assert.deepEqual(let_through({ show: "expiring" }), [3]);
  assert.deepEqual(let_through({ show: "proposed" }), [4]);
  assert.deepEqual(let_through({ text: "damper" }), [1, 3]);
  assert.deepEqual(let_through({ text: " LOOSE  antenna" }), [1]);
});

test("dependencies are followed both ways, nearest first, and circles end", () => {
  const rows = [
    memory(1, { depends_on: [2, 9] }), memory(2, { depends_on: [3] }), memory(3, { depends_on: [1] }),
    memory(4, { depends_on: [1] }),
  ];
  const { restsOn, resting } = neighbourhood(rows)(1);
  assert.deepEqual(restsOn, [{ id: 2, depth: 1 }, { id: 9, depth: 1 }, { id: 3, depth: 2 }]);
  assert.deepEqual(resting, [{ id: 3, depth: 1 }, { id: 4, depth: 1 }, { id: 2, depth: 2 }]);
});

test("a long chain of dependencies is cut", () => {
  const rows = many(100, (id) => memory(id, { depends_on: [id + 1] }));
  assert.equal(neighbourhood(rows)(1).restsOn.length, 30);
});

test("a page read before an event has what the event changed of a memory in it", () => {
  const page = { type: "fetched", list: "memories", rows: [memory(5), memory(4)], more: false };
  const state = [
    { type: "fetching", list: "memories" },
    happened("dependency_updated", { memory: 4, depends_on: [1] }),
    happened("memory_relevance_changed", { memory: 4, importance: 0.9, relevance: "high" }),
    happened("memory_deleted", { memory: 5 }),
    happened("dependency_updated", { memory: 5, depends_on: [] }),
    page,
  ].reduce(reduce, open(many(50, memory, 51)));
  assert.deepEqual(state.memories[0], memory(4, { depends_on: [1], importance: 0.9, relevance: "high" }));
  assert.equal(state.memories.some(({ id }) => id === 5), false);
});
