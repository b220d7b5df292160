// What the page says of the work of the AI and of the context engine.
import assert from "node:assert/strict";
import { test } from "node:test";

import { KEPT_LINES, liveLine } from "../../chat/static/chat/feed.js";
import { emptyRoom, reduce } from "../../chat/static/chat/state.js";
import { ADA, event, message, snapshot } from "./rows.mjs";

const open = (fields) => reduce(emptyRoom(ADA.id), { type: "snapshot", snapshot: snapshot(fields) });
const happened = (type, data) => ({ type: "event", frame: event(type, data) });
const heard = (type, data) => ({ type: "signal", frame: { ...event(type, data), seq: undefined }, now: 0 });
const follow = (state, ...actions) => actions.reduce(reduce, state);
const told = (state) => state.feed.map(({ text, detail, state: how }) => [how, text, detail]);
const steps = { queue: 5, terms: 1, memories: 30, issues: 0, dependencies: 1, summary: 3 };
const complete = (fields) => happened("context_analysis_complete", {
  message: 1, mode: "meaning", memories: [{}, {}], dependencies: [], timings_ms: steps, errors: [], ...fields,
});
const empty = message(9, { kind: "ai", author: null, body: "" });
const queued = happened("message_updated", { message: empty, queued_run: 1 });
const started = happened("ai_processing_start", { run: 1, message: 9, generation: 1 });
const delta = heard("ai_processing_progress", { run: 1, generation: 1, offset: 0, delta: "a" });
const ended = (state) => happened("ai_processing_end", { run: 1, state });

test("an answer is one line from its question to its times", () => {
  const texts = [];
  let state = open();
  for (const action of [queued, started, delta, delta, ended("completed")]) {
    state = reduce(state, action);
    assert.equal(state.feed.length, 1);
    texts.push(state.feed[0].text);
  }
  assert.deepEqual(texts, [
    "A question waits for the AI", "The AI is thinking", "The AI is writing", "The AI is writing", "The AI has answered",
  ]);
  const timings_ms = { queue: 12, first_token: 340, total: 2_140 };
  const processed = reduce(state, happened("message_processed", { message: 8, run: 1, timings_ms }));
  assert.deepEqual(told(processed), [["done", "The AI has answered", "first words after 340 ms, 2.1 s in all"]]);
});

test("a delta of an answer that is being written changes nothing: it comes 25 times a second", () => {
  const writing = follow(open(), queued, started, delta);
  assert.equal(reduce(writing, delta).feed, writing.feed);
});

test("an error says whether it is tried again", () => {
  const error = { run: 1, generation: 1, code: "unavailable", message: "the AI does not answer at present" };
  const again = follow(open(), queued, started, happened("ai_processing_error", { ...error, will_retry: true, retry_after_ms: 2_000 }));
  assert.deepEqual(told(again), [["working", "The AI is tried again", "the AI does not answer at present; trying again in 2.0 s"]]);
  const failed = follow(again, happened("ai_processing_error", { ...error, will_retry: false }), ended("failed"));
  assert.deepEqual(told(failed), [["failed", "The answer failed", "the AI does not answer at present"]]);
});

test("reading a message is one line: key words, searching, what was found and how long it took", () => {
  const begun = follow(
    open({ messages: [message(1)] }),
    heard("context_analysis_progress", { message: 1, step: "terms", done: 0, total: 5 }),
    heard("key_terms_extracted", { message: 1, terms: ["antenna", "damper"] }),
    heard("memory_retrieval_progress", { message: 1, step: "searching", done: 0, total: 1 }),
  );
  assert.deepEqual(told(begun), [["working", "Searching the memories", "antenna, damper"]]);
  const done = follow(begun, happened("similar_issues_found", { message: 1, issues: [{}] }), complete());
  const text = "Read what Grace wrote: 2 memories matter, 1 issue is like it";
  assert.deepEqual(told(done), [["done", text, "antenna, damper · 35 ms"]]);
  const late = reduce(done, heard("context_analysis_progress", { message: 1, step: "summary", done: 4, total: 5 }));
  assert.deepEqual(told(late), told(done), "a signal that comes late opens nothing again");
});

test("a step that failed is said in plain words", () => {
  const errors = [{ step: "memories", code: "unavailable" }, { step: "issues", code: "internal" }];
  const [line] = follow(open(), complete({ errors, memories: [] })).feed;
  assert.equal(line.state, "failed");
  assert.match(line.text, /^Not all of it worked: not searching the memories \(the database was busy\), and 1 other/);
});

test("the line to show is what is being done, else what was done last", () => {
  assert.equal(liveLine([]), null);
  const state = follow(open(), complete(), queued, complete({ message: 2 }));
  assert.equal(liveLine(state.feed).text, "A question waits for the AI");
  assert.match(liveLine(follow(state, ended("cancelled")).feed).text, /^Read a message/);
});

test("only so many lines are kept", () => {
  let state = open();
  for (let id = 1; id <= 3 * KEPT_LINES; id += 1) state = reduce(state, complete({ message: id }));
  assert.equal(state.feed.length, KEPT_LINES);
  assert.equal(state.feed.at(-1).key, `message-${3 * KEPT_LINES}`);
});

test("a snapshot ends lines whose end was missed, and begins those under way", () => {
  const answers = [{ id: 2, message: 9, generation: 1, state: "running", sources: [] }];
  const state = follow(open(), queued, complete(), { type: "snapshot", snapshot: snapshot({ answers }) });
  assert.deepEqual(state.feed.map(({ key }) => key), ["message-1", "run-2"]);
});
