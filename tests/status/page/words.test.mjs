// Numbers, spans, axes and the headline.
import assert from "node:assert/strict";
import { test } from "node:test";
import { highest, niceTop, stretches } from "../../../status/static/status/scale.js";
import { span, summary, written } from "../../../status/static/status/words.js";

test("numbers are short, with their units", () => {
  const cases = [
    [0, "", "0"],
    [7, "", "7"],
    [12.34, "ms", "12.3 ms"],
    [1234.5, "ms", "1235 ms"],
    [23_456, "ms", "23.5 s"],
    [48_100, "per_s", "48.1k /s"],
    [282_345_678, "bytes", "282 MB"],
    [1_500_000_000, "bytes", "1.5 GB"],
    [0.456, "percent", "0.46 %"],
    [undefined, "ms", "–"],
    [NaN, "", "–"],
  ];
  for (const [value, unit, expected] of cases) assert.equal(written(value, unit), expected);
});

test("spans are in the two largest units", () => {
  const cases = [[-5, "0 s"], [59_400, "59 s"], [61_000, "1 min"], [3_900_000, "1 h 5 min"], [7_200_000, "2 h"]];
  for (const [ms, expected] of cases) assert.equal(span(ms), expected);
  assert.equal(span(98 * 3_600_000), "4 d 2 h");
});

test("an axis ends at a round number above the highest value", () => {
  const cases = [[0, 1], [NaN, 1], [1, 1], [1.2, 2], [2.1, 2.5], [26, 50], [900, 1000], [0.03, 0.05]];
  for (const [value, expected] of cases) assert.ok(Math.abs(niceTop(value) - expected) < 1e-9, `${value}`);
  assert.equal(highest([[1, NaN, 3], [NaN]]), 3);
});

test("a bar is drawn in stretches of one state", () => {
  const levels = [NaN, NaN, 0, 0, 2, 0];
  assert.deepEqual(stretches(levels), [[-1, 0, 2], [0, 2, 4], [2, 4, 5], [0, 5, 6]]);
  assert.deepEqual(stretches([1]), [[1, 0, 1]]);
});

test("the headline names what is not well", () => {
  const part = (label, state, text = "") => ({ label, state, text });
  assert.equal(summary("ok", [part("Redis", "ok")]).head, "All parts work");
  const down = summary("down", [part("Jobs", "ok"), part("Redis", "down", "no answer"), part("AI", "degraded")]);
  assert.deepEqual(down, { head: "Down", detail: "Redis: no answer. AI: degraded." });
  assert.equal(summary("unknown", []).head, "Not known");
});
