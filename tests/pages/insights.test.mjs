// What the context engine said, as the page keeps and shows it.
import assert from "node:assert/strict";
import { test } from "node:test";

import { doubtOf, related } from "../../chat/static/chat/insights.js";
import { emptyRoom, reduce } from "../../chat/static/chat/state.js";
import { ADA, event, memory, message, snapshot } from "./rows.mjs";

const happened = (type, data, ts) => ({ type: "event", frame: { ...event(type, data), ...(ts && { ts }) } });
const open = (fields) => reduce(emptyRoom(ADA.id), { type: "snapshot", snapshot: snapshot(fields) });
const match = (id) => ({ memory: id, title: `memory ${id}`, score: 0.7, why: "both say antenna" });
const analysed = (id, memories) => ({
  message: id, mode: "meaning", memories: memories.map(match), dependencies: [9], timings_ms: {}, errors: [],
});
const rows = [memory(1), memory(2), memory(9)];

test("the message spoken about is the newest with something to show", () => {
  const state = [
    happened("similar_issues_found", { message: 1, issues: [match(1)] }),
    happened("context_analysis_complete", analysed(1, [1, 2])),
    happened("context_analysis_complete", analysed(2, [])),
  ].reduce(reduce, open({ messages: [message(1), message(2)], memories: rows }));
  const found = related(state, null);
  assert.deepEqual([found.message, found.chosen], [1, false]);
  assert.deepEqual(found.issues, [match(1)]);
  assert.deepEqual(found.memories, [match(2)], "an issue is not said twice");
  assert.deepEqual(found.resting, [9]);
});

test("a chosen message is shown with what is known of it, an answer with its question's", () => {
  const answer = message(3, { kind: "ai", author: null, reply_to: 1 });
  const state = reduce(
    open({ messages: [message(1), message(2), answer], memories: rows }),
    happened("context_analysis_complete", analysed(1, [2])),
  );
  assert.deepEqual(related(state, 3).memories, [match(2)]);
  assert.deepEqual([related(state, 2).known, related(state, 2).memories], [false, []]);
  assert.equal(related(state, 99), null);
});

test("what is deleted is no longer shown", () => {
  const told = reduce(
    open({ messages: [message(1)], memories: rows }),
    happened("context_analysis_complete", analysed(1, [1, 2])),
  );
  const fewer = reduce(told, happened("memory_deleted", { memory: 1 }));
  assert.deepEqual(related(fewer, null).memories, [match(2)]);
  assert.equal(related(reduce(told, happened("message_deleted", { message: 1 })), null), null);
});

test("proposals stand beside the message that they came from until they are decided", () => {
  const proposal = memory(7, { kind: "decision", status: "proposed", source: { message: 1 } });
  const state = reduce(open({ messages: [message(1)] }), happened("memory_stored", { memory: proposal }));
  assert.deepEqual(related(state, null).proposals, [{ memory: 7, kind: "decision", title: "memory 7" }]);
  assert.equal(related(reduce(state, happened("memory_updated", { memory: { ...proposal, status: "kept" } })), null), null);
});

test("a memory is in doubt from a change below it until it is written again", () => {
  const later = "2026-01-01T13:00:00.000Z";
  const doubtful = reduce(
    open({ memories: rows }), happened("dependency_updated", { memory: 1, depends_on: [2], because: 2 }, later),
  );
  const of = (state, id) => doubtOf(state, state.memories.find((row) => row.id === id));
  assert.deepEqual([of(doubtful, 1), of(doubtful, 2)], [2, null]);
  const warned = reduce(doubtful, happened("memory_updated", { memory: memory(1, { expiring: true }) }));
  assert.equal(of(warned, 1), 2, "that it expires is nobody's look at it");
  const written = memory(1, { updated_at: "2026-01-01T14:00:00.000Z" });
  assert.equal(of(reduce(doubtful, happened("memory_updated", { memory: written })), 1), null);
});

test("what a fresh page reads of earlier events does not undo what it has heard since", () => {
  const earlier = [
    event("context_analysis_complete", analysed(1, [1])), event("context_analysis_complete", analysed(2, [1])),
  ];
  const state = [
    happened("context_analysis_complete", analysed(2, [2])), { type: "recalled", events: earlier },
  ].reduce(reduce, open({ messages: [message(1), message(2)], memories: rows }));
  assert.deepEqual(related(state, 2).memories, [match(2)]);
  assert.deepEqual(related(state, 1).memories, [match(1)]);
});

test("findings of so many messages are kept, and no more", () => {
  let state = open();
  for (let id = 1; id <= 300; id += 1) {
    state = reduce(state, happened("context_analysis_complete", analysed(id, [])));
  }
  const kept = Object.keys(state.insights.findings).map(Number);
  assert.deepEqual([kept.length, Math.min(...kept)], [100, 201]);
});
