// The room's state: a pure function of snapshot, events, replies and own doings.
import assert from "node:assert/strict";
import { test } from "node:test";

import {
  emptyRoom, KEPT_MESSAGES, mayDelete, mayEdit, newestHeard, receiptOf, reduce, stateOf, TYPING_MS, typists,
} from "../../chat/static/chat/state.js";
import { ADA, event, GRACE, many, member, memory, message, snapshot } from "./rows.mjs";

const run = (state, ...actions) => actions.reduce(reduce, state);
const happened = (type, data) => ({ type: "event", frame: event(type, data) });
const listed = (users, now = 0) => ({ type: "signal", frame: { type: "user_typing", data: { users } }, now });
const signalled = (type, user, now = 0) => ({ type: "signal", frame: { type, data: { user } }, now });
const open = (fields) => reduce(emptyRoom(ADA.id), { type: "snapshot", snapshot: snapshot(fields) });
const ids = (rows) => rows.map((row) => row.id);
const plain = (rows) => rows.map(({ seq: _, ...row }) => row);
/** Without what no snapshot tells: seqs of messages, and what the AI and the engine said of their work. */
const snapshotted = ({ feed: _, insights: __, ...state }) => ({ ...state, messages: plain(state.messages) });
const mine = (id, fields) => message(id, { author: ADA, ...fields });

test("an old snapshot and its events give the fresh snapshot", () => {
  const before = open({ messages: [message(1), mine(2)], memories: [memory(1), memory(2), memory(5)] });
  const proposed = memory(4, { status: "proposed", source: { message: 2 } });
  const answer = message(6, { kind: "ai", author: null, client_ref: null, body: "", reply_to: 3 });
  const edited = mine(2, { body: "better", edited_at: "2026-01-01T12:05:00.000Z" });
  const moved = memory(2, { title: "moved", updated_at: "2026-01-01T12:05:00.000Z" });
  const after = run(
    before,
    happened("new_message", { message: message(3) }),
    happened("message_updated", { message: edited }),
    happened("message_deleted", { message: 1, deleted_at: "x" }),
    happened("memory_stored", { memory: memory(3) }),
    happened("memory_updated", { memory: moved }),
    happened("memory_deleted", { memory: 1 }),
    happened("dependency_updated", { memory: 3, depends_on: [2] }),
    happened("dependency_updated", { memory: 3, depends_on: [2], because: 2 }),
    happened("memory_relevance_changed", { memory: 3, importance: 0.9, relevance: "low" }),
    happened("memory_stored", { memory: proposed }),
    happened("memory_stored", { memory: { ...proposed, id: 7 } }),
    happened("memory_updated", { memory: { ...proposed, status: "kept" } }),
    happened("memory_deleted", { memory: 7 }),
    happened("memory_expired", { memory: 5 }),
    happened("context_summary_updated", { project: 1, summary: "Decided: to fly" }),
    happened("similar_issues_found", { message: 3, issues: [{ memory: 3, title: "m", score: 1, why: "w" }] }),
    happened("new_message", { message: answer }),
    happened("message_updated", { message: answer, queued_run: 1 }),
    happened("ai_processing_start", { run: 1, message: 6, generation: 1 }),
    happened("ai_response_generated", { run: 1, message: { ...answer, body: "so" }, sources: [] }),
    happened("ai_processing_end", { run: 1, state: "cancelled" }),
    happened("message_updated", { message: { ...answer, body: "so" }, queued_run: 1 }),
    happened("project_joined", { project: 1, member: member({ id: 3, name: "Lin" }, "viewer") }),
    happened("project_left", { project: 1, user: GRACE }),
    happened("message_read", { reads: { 3: 7 } }),
    happened("project_updated", { project: { ...snapshot().project, name: "Apollo 2" } }),
  );
  const fresh = open({
    project: { ...snapshot().project, name: "Apollo 2" },
    messages: [message(1, { body: "", deleted: true }), edited, message(3), { ...answer, body: "so" }],
    answers: [{ id: 1, project: 1, question: 3, message: 6, state: "queued", generation: 1, sources: [] }],
    memories: [
      moved,
      memory(3, { depends_on: [2], importance: 0.9, relevance: "low" }),
      { ...proposed, status: "kept" },
    ],
    summary: "Decided: to fly",
    people: [member(ADA, "owner"), member({ id: 3, name: "Lin" }, "viewer")],
    reads: { 3: 7 },
  });
  assert.deepEqual(snapshotted(after), snapshotted(fresh));
});

test("an own message is shown once, whichever of event and reply comes first", () => {
  const row = mine(5, { client_ref: "r" });
  const sending = { type: "sending", client_ref: "r", body: row.body, reply_to: null, created_at: row.created_at };
  const sent = { type: "sent", message: row, seq: 9 };
  for (const order of [[happened("new_message", { message: row }), sent], [sent, happened("new_message", { message: row })]]) {
    const pending = run(open(), sending);
    assert.equal(pending.pending[0].state, "sending");
    const state = run(pending, ...order);
    assert.deepEqual([ids(state.messages), state.pending], [[5], []]);
  }
});

test("another person's message with the same reference settles nothing", () => {
  const sending = { type: "sending", client_ref: "r", body: "x", reply_to: null, created_at: "" };
  const state = run(open(), sending, happened("new_message", { message: message(5, { client_ref: "r" }) }));
  assert.equal(state.pending.length, 1);
});

test("a failed message keeps its words and its reason, is tried again under its reference, or goes", () => {
  const sending = { type: "sending", client_ref: "r", body: "x", reply_to: null, created_at: "" };
  const failed = run(open(), sending, { type: "failed", client_ref: "r", error: "expected a writer" });
  assert.deepEqual([failed.pending[0].state, failed.pending[0].error], ["failed", "expected a writer"]);
  assert.equal(run(failed, sending).pending.length, 1);
  assert.equal(run(failed, sending).pending[0].state, "sending");
  assert.deepEqual(run(failed, { type: "discard", client_ref: "r" }).pending, []);
});

test("a snapshot settles what it holds and keeps what is still on its way", () => {
  const sending = (ref) => ({ type: "sending", client_ref: ref, body: "x", reply_to: null, created_at: "" });
  const state = run(open(), sending("a"), sending("b"), {
    type: "snapshot",
    snapshot: snapshot({ messages: [mine(8, { client_ref: "a" })] }),
  });
  assert.deepEqual(state.pending.map((entry) => entry.client_ref), ["b"]);
});

test("a stale reply does not undo a newer event", () => {
  const newer = mine(2, { body: "second", edited_at: "2026-01-01T12:02:00.000Z" });
  const older = mine(2, { body: "first", edited_at: "2026-01-01T12:01:00.000Z" });
  const state = run(open({ messages: [mine(2)] }), happened("message_updated", { message: newer }), {
    type: "changed",
    message: older,
  });
  assert.equal(state.messages[0].body, "second");
});

test("what was deleted stays deleted when an older version arrives", () => {
  const state = run(
    open({ messages: [mine(2)] }),
    happened("message_deleted", { message: 2, deleted_at: "x" }),
    { type: "sent", message: mine(2), seq: 4 },
  );
  assert.deepEqual([state.messages[0].deleted, state.messages[0].body], [true, ""]);
});

test("an edit in the admin, which marks no time, is shown", () => {
  const state = run(open({ messages: [message(2)] }), happened("message_updated", { message: message(2, { body: "by admin" }) }));
  assert.equal(state.messages[0].body, "by admin");
});

test("an own change is marked until it is confirmed, and says why it failed", () => {
  const change = { kind: "edit", body: "new", client_ref: "c" };
  const changing = run(open({ messages: [mine(2)] }), { type: "changing", message: 2, change });
  assert.equal(changing.changes[2].state, "sending");
  const failed = run(changing, { type: "unchanged", message: 2, error: "expected one of your own" });
  assert.deepEqual([failed.changes[2].state, failed.changes[2].error], ["failed", "expected one of your own"]);
  assert.deepEqual(run(failed, { type: "forget", message: 2 }).changes, {});
  const done = run(changing, { type: "changed", message: mine(2, { body: "new", edited_at: "2026-01-01T12:02:00.000Z" }) });
  assert.deepEqual([done.changes, done.messages[0].body], [{}, "new"]);
});

test("an older page is put in front, without doubling what is held", () => {
  const state = run(
    open({ messages: many(50, message, 51) }),
    { type: "fetching", list: "messages" },
    { type: "fetched", list: "messages", rows: many(60, message, 1).reverse(), more: false },
  );
  assert.deepEqual(ids(state.messages), many(100, (id) => id));
  assert.equal(state.older.messages, false);
});

test("a page read before an event does not bring back what the event changed", () => {
  const state = run(
    open({ messages: many(50, message, 51), memories: many(50, memory, 51) }),
    { type: "fetching", list: "messages" },
    { type: "fetching", list: "memories" },
    happened("message_deleted", { message: 3, deleted_at: "x" }),
    happened("message_updated", { message: message(4, { body: "new" }) }),
    happened("memory_deleted", { memory: 5 }),
    { type: "fetched", list: "messages", rows: [message(4), message(3)], more: true },
    { type: "fetched", list: "memories", rows: [memory(5), memory(4)], more: true },
  );
  assert.deepEqual(state.messages.slice(0, 2).map((row) => row.body), ["", "new"]);
  assert.equal(state.messages[0].deleted, true);
  assert.equal(state.messages[0].author, GRACE, "the deleted row is whole");
  assert.deepEqual(ids(state.memories).slice(0, 1), [4]);
});

test("a page that a snapshot overtook is dropped", () => {
  const state = run(
    open({ messages: many(50, message, 51) }),
    { type: "fetching", list: "messages" },
    { type: "snapshot", snapshot: snapshot({ messages: [message(200)] }) },
    { type: "fetched", list: "messages", rows: [message(50)], more: true },
  );
  assert.deepEqual(ids(state.messages), [200]);
});

test("an update of a message before the ones held makes no hole", () => {
  const state = run(open({ messages: many(50, message, 51) }), happened("message_updated", { message: message(3) }));
  assert.equal(state.messages[0].id, 51);
});

test("the list of messages is cut at its bound, and says that there are older ones", () => {
  const state = run(open({ messages: many(KEPT_MESSAGES + 20, message) }), { type: "trim" });
  assert.deepEqual([state.messages.length, state.messages[0].id, state.older.messages], [KEPT_MESSAGES, 21, true]);
});

test("typing is shown until it stops, expires, or its message comes", () => {
  const typing = run(open(), listed([ADA, GRACE], 1_000));
  assert.deepEqual(typists(typing), ["Grace"], "without oneself");
  assert.deepEqual(typists(run(typing, listed([]))), []);
  assert.deepEqual(typists(run(typing, { type: "expire", now: 1_000 + TYPING_MS - 1 })), ["Grace"]);
  assert.deepEqual(typists(run(typing, { type: "expire", now: 1_000 + TYPING_MS })), []);
  assert.deepEqual(typists(run(typing, happened("new_message", { message: message(9) }))), []);
});

test("rights follow the role, which may change while the page is open", () => {
  const role = (name) => happened("project_joined", { project: 1, member: member(ADA, name) });
  const rights = (state, row) => [mayEdit(state, row), mayDelete(state, row)];
  const owner = open();
  assert.deepEqual([rights(owner, mine(1)), rights(owner, message(2))], [[true, true], [false, true]]);
  const writer = run(owner, role("member"));
  assert.deepEqual([rights(writer, mine(1)), rights(writer, message(2))], [[true, true], [false, false]]);
  assert.deepEqual(rights(run(owner, role("viewer")), mine(1)), [false, false]);
});

test("only other people's messages are to be read, and a read mark is not a message", () => {
  const heard = happened("new_message", { message: message(5) });
  const state = run(
    open(),
    heard,
    happened("new_message", { message: mine(6) }),
    happened("message_read", { reads: { 1: 100 } }),
  );
  assert.equal(newestHeard(state), heard.frame.seq);
});

test("one's newest message says who has read it, live; what was asked for is shown beside", () => {
  const LIN = { id: 3, name: "Lin" };
  const people = [member(ADA, "owner"), member(GRACE), member(LIN)];
  const said = happened("new_message", { message: mine(5) });
  const state = run(open({ people }), said);
  const receipt = (now) => receiptOf(now, now.messages.find(({ id }) => id === 5));
  assert.deepEqual(receipt(state), { received: 0, others: 2, names: [] });
  const read = run(state, happened("message_read", { reads: { 2: said.frame.seq } }));
  assert.deepEqual(receipt(read), { received: 1, others: 2, names: ["Grace"] });
  const asked = run(read, { type: "receipts", message: 5, received: [2, 3], read: [2] });
  assert.deepEqual(receipt(asked), { received: 2, others: 2, names: ["Grace"] });
});

test("older messages have no receipt before it was asked for, and then that of the answer", () => {
  const state = open({ messages: [mine(1), mine(2)] });
  assert.deepEqual(state.messages.map((row) => receiptOf(state, row)), [null, null]);
  const asked = run(state, { type: "receipts", message: 1, received: [2], read: [] });
  assert.deepEqual(receiptOf(asked, asked.messages[0]), { received: 1, others: 1, names: [] });
  assert.equal(receiptOf(asked, asked.messages[1]), null);
});

test("people are as presence says, offline when it does not name them, and unsaid while unknown", () => {
  const state = open();
  assert.equal(stateOf(state, GRACE.id), "");
  const known = run(state, { type: "presence", users: [{ user: GRACE, state: "busy" }] });
  assert.deepEqual([stateOf(known, GRACE.id), stateOf(known, ADA.id)], ["busy", "offline"]);
  const fresh = run(known, { type: "snapshot", snapshot: snapshot() });
  assert.equal(stateOf(fresh, GRACE.id), "busy", "a snapshot knows nothing of presence");
  assert.equal(stateOf(run(known, { type: "presence", users: null }), GRACE.id), "");
});

test("an unknown action, event or signal changes nothing", () => {
  const state = open();
  assert.equal(run(state, { type: "?" }, happened("key_terms", {}), signalled("presence", GRACE)), state);
});

test("an ended room says why", () => {
  const state = run(open(), { type: "ended", ending: "gone" });
  assert.deepEqual([state.phase, state.ending], ["ended", "gone"]);
});
