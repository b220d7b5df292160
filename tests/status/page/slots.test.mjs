// The last 90 minutes of a measure.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Slots } from "../../../status/static/status/slots.js";

const made = (merge) => new Slots({ slotMs: 10, length: 4, merge });
const read = (slots, nowMs) => [...slots.read(nowMs, new Float64Array(4))];

test("values of one slot are joined as the measure says", () => {
  for (const [merge, expected] of [["max", 5], ["min", 1], ["sum", 3]]) {
    const slots = made(merge);
    for (const value of [1, 5, 3]) slots.add(100, value);
    assert.equal(read(slots, 105).at(-1), expected, merge);
  }
});

test("slots without a value are holes, and old ones fall out", () => {
  const slots = made("max");
  slots.add(100, 1);
  slots.add(120, 2);
  assert.deepEqual(read(slots, 129), [NaN, 1, NaN, 2]);
  assert.deepEqual(read(slots, 141), [NaN, 2, NaN, NaN]);
  slots.add(150, 3);
  assert.deepEqual(read(slots, 150), [2, NaN, NaN, 3]);
  slots.add(990, 4);
  assert.deepEqual(read(slots, 990), [NaN, NaN, NaN, 4]);
});

test("what is older than the window, or no number, is left out", () => {
  const slots = made("max");
  slots.add(200, 1);
  slots.add(160, 9);
  slots.add(200, undefined);
  slots.add(200, NaN);
  assert.deepEqual(read(slots, 200), [NaN, NaN, NaN, 1]);
  slots.add(170, 7); // the oldest that is in it
  assert.deepEqual(read(slots, 200), [7, NaN, NaN, 1]);
});

test("history fills holes, and never what was heard live", () => {
  const slots = made("max");
  slots.add(120, 2);
  slots.fill(100, 8);
  slots.fill(120, 9);
  assert.deepEqual(read(slots, 120), [NaN, 8, NaN, 2]);
});
