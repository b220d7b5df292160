// Runs of the AI as the page builds them, by the rules of the protocol's section 9.
import assert from "node:assert/strict";
import { test } from "node:test";

import { holes, RUN_FRAMES, runsFound, runTold } from "../../chat/static/chat/runs.js";

const happen = (runs, ...frames) =>
  frames.reduce((held, [type, data]) => RUN_FRAMES[`ai_${type}`](held, data), runs);
const started = ["processing_start", { run: 1, message: 9, generation: 1 }];
const delta = (offset, text, generation = 1) =>
  ["processing_progress", { run: 1, generation, offset, delta: text }];

test("an answer grows by deltas that repeat, in code points", () => {
  const runs = happen({}, started, delta(0, "a🚀"), delta(0, "a🚀b"), delta(2, "bc"), delta(0, "a"));
  assert.equal(runs[9].text, "a🚀bc");
  assert.deepEqual(holes(runs), []);
});

test("a delta beyond the text is a hole, which the run as it stands fills", () => {
  const missed = happen({}, started, delta(5, "late"));
  assert.deepEqual(holes(missed), [1]);
  assert.equal(missed[9].text, "");
  const told = runTold(missed, { message: 9, generation: 1, state: "running", text: "early" });
  assert.deepEqual(holes(told), []);
  assert.equal(happen(told, delta(5, " late"))[9].text, "early late");
});

test("what an older generation says is dropped, and a newer one begins afresh", () => {
  const runs = happen({}, started, delta(0, "one"));
  assert.equal(happen(runs, started), runs);
  const again = happen(runs, ["processing_start", { run: 1, message: 9, generation: 2 }]);
  assert.equal(again[9].text, "");
  assert.equal(happen(again, delta(0, "one")), again);
  assert.equal(happen(again, delta(0, "two", 2))[9].text, "two");
});

test("an ended run hears no more, and keeps its sources", () => {
  const sources = [{ kind: "memory", id: 3, title: "Launch" }];
  const runs = happen(
    {}, started, delta(0, "one"), ["response_generated", { run: 1, message: { id: 9 }, sources }],
    ["processing_end", { run: 1, state: "cancelled" }],
  );
  assert.deepEqual([runs[9].state, runs[9].sources], ["cancelled", sources]);
  assert.equal(happen(runs, delta(0, "one more")), runs);
});

test("a queued run is known before it starts, and when it is run again keeps text and sources", () => {
  const answer = { id: 9, body: "" };
  const queued = RUN_FRAMES.message_updated({}, { message: answer, queued_run: 1 });
  assert.deepEqual([queued[9].run, queued[9].state, queued[9].generation], [1, "queued", 0]);
  const sources = [{ kind: "memory", id: 3, title: "Launch" }];
  const ended = happen(
    queued, started, ["response_generated", { run: 1, message: answer, sources }],
    ["processing_end", { run: 1, state: "failed" }],
  );
  const again = RUN_FRAMES.message_updated(ended, { message: answer, queued_run: 1 });
  assert.deepEqual([again[9].state, again[9].sources, again[9].error], ["queued", sources, ""]);
  assert.equal(RUN_FRAMES.message_updated(ended, { message: answer }), ended, "an edit of the admin");
});

test("a fresh page has the texts of those under way", () => {
  const answer = { id: 1, message: 9, generation: 2, state: "running", sources: [] };
  const runs = runsFound([answer], [{ run: 1, message: 9, generation: 2, offset: 3, text: "one" }]);
  assert.equal(happen(runs, delta(3, " two", 2))[9].text, "one two");
});
