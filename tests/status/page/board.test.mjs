// The page's state: snapshot, signals, events, history; and that an hour of them does not grow it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { KEPT as ALERTS_KEPT } from "../../../status/static/status/alerts.js";
import { Board } from "../../../status/static/status/board.js";
import { KEPT, Timeline } from "../../../status/static/status/timeline.js";

const BEGAN = Date.parse("2026-01-01T12:00:00Z");
const measure = (name, unit, merge) => ({ name, unit, text: "", merge });
const component = (name, ...measures) => ({
  name,
  label: name.toUpperCase(),
  vital: false,
  meaning: { down: "it does not answer" },
  measures: [measure(`${name}.state`, "", "max"), ...measures],
});
const COMPONENTS = [
  component("redis", measure("redis.used_bytes", "bytes", "max")),
  component("sockets", measure("sockets.count", "", "sum")),
  component("event_loop", measure("event_loop.lag_ms", "ms", "max")),
];
const health = (parts, texts = {}) => ({ state: "ok", parts, texts, nodes: 1, version: 1 });
const OK = { redis: "ok", sockets: "ok", event_loop: "ok" };
const whole = (alerts = []) => ({
  ...health(OK),
  values: { "sockets.count": 3 },
  components: COMPONENTS,
  alerts,
  members: [],
});
const alertEvent = (seq, state, more = {}) => ({
  type: "performance_alert",
  seq,
  ts: "2026-01-01T12:00:00Z",
  data: { id: 7, alert: "redis.down", component: "redis", subject: "", severity: "critical", text: "Redis is down", value: 2, threshold: 2, state, ended: null, ...more },
});

function board(alerts) {
  const made = new Board();
  made.whole(whole(alerts), BEGAN);
  return made;
}

test("only measures that the server has are charted", () => {
  const names = board().charts.map(({ name, unit }) => [name, unit]);
  assert.deepEqual(names, [["connections", ""], ["loop", "ms"], ["memory", "bytes"]]);
  assert.deepEqual(board().charts[0].lines, [{ name: "sockets.count", label: "open", merge: "sum" }]);
});

test("a part that is down says why, and its bar shows it", () => {
  const made = board();
  made.update(health({ ...OK, redis: "down" }, { redis: "no answer" }), BEGAN + 60_000);
  const redis = made.parts.find(({ name }) => name === "redis");
  assert.deepEqual([redis.state, redis.text], ["down", "no answer"]);
  made.update(health(OK), BEGAN + 120_000);
  const bar = [...made.bar("redis", BEGAN + 120_000, new Float64Array(90))].slice(-3);
  assert.deepEqual(bar, [0, 2, 0]);
  assert.equal(made.parts[0].text, "");
});

test("numbers of one broadcast are not the system's", () => {
  const made = board();
  made.metrics({ values: { addressed: 5 }, part: "broadcast" }, BEGAN + 2_000);
  assert.deepEqual(made.values, { "sockets.count": 3 });
});

test("an alert that is not written yet is shown once, until its event comes", () => {
  const made = board();
  const opened_at = "2026-01-01T11:59:00Z";
  const { type, ts, data } = alertEvent(0, "opened", { id: null, opened_at });
  const ahead = { type, ts, data }; // a signal: no seq
  made.event(ahead);
  made.event(ahead);
  assert.deepEqual(made.alerts.list.map((one) => [one.ahead, one.opened_at]), [[true, opened_at]]);
  assert.equal(made.timeline.entries.length, 0);
  made.event(alertEvent(9, "opened", { opened_at }));
  assert.deepEqual(made.alerts.list.map((one) => [one.id, one.ahead]), [[7, false]]);
  made.event(ahead); // of another node, late
  assert.equal(made.alerts.size, 1);
  made.event({ ...ahead, data: { ...data, alert: "database.down" } });
  assert.equal(made.alerts.size, 2);
  made.event({ ...ahead, data: { ...data, alert: "database.down", state: "closed" } });
  assert.deepEqual(made.alerts.list.map(({ id }) => id), [7]);
});

test("history comes before what was heard, and does not reach into the future", () => {
  const made = board();
  const series = { "sockets.count": [8, null, 9], "redis.state": [2, 0, 1], "of.nothing": [1, 1, 1] };
  made.past({ begin: "2026-01-01T11:58:00Z", step: 60, series }, BEGAN + 20_000);
  const line = [...made.line("sockets.count", BEGAN + 20_000, new Float64Array(540))].slice(-15);
  assert.deepEqual(line.slice(0, 6), [8, 8, 8, 8, 8, 8]);
  assert.ok(line.slice(6, 12).every(Number.isNaN));
  assert.deepEqual(line.slice(12, 14), [3, 9]); // heard live, then history
  const bar = [...made.bar("redis", BEGAN, new Float64Array(90))].slice(-3);
  assert.deepEqual(bar, [2, 0, 0]);
});

test("an alert opens, is acknowledged, and goes when it closes", () => {
  const made = board();
  made.event(alertEvent(1, "opened"));
  assert.equal(made.alerts.list[0].text, "Redis is down");
  assert.equal(made.alerts.list[0].opened_at, "2026-01-01T12:00:00Z");
  made.event(alertEvent(2, "acknowledged"));
  assert.ok(made.alerts.list[0].acknowledged_at);
  made.event(alertEvent(3, "closed", { ended: "good again" }));
  assert.equal(made.alerts.size, 0);
  assert.deepEqual(
    made.timeline.entries.map(({ seq, title }) => [seq, title]),
    [[3, "redis.down closed"], [2, "redis.down was acknowledged"], [1, "redis.down opened"]],
  );
  assert.equal(made.timeline.entries[0].text, "good again");
});

test("alerts are listed worst first", () => {
  const one = (id, severity, opened_at) => ({ id, severity, opened_at, state: "open" });
  const made = board([
    one(1, "info", "2026-01-01T11:00:00Z"),
    one(2, "critical", "2026-01-01T10:00:00Z"),
    one(3, "critical", "2026-01-01T11:00:00Z"),
    { ...one(4, "critical", "2026-01-01T11:00:00Z"), state: "closed" },
  ]);
  assert.deepEqual(made.alerts.list.map(({ id }) => id), [3, 2, 1]);
});

test("events of the past and of now make one timeline, each once", () => {
  const timeline = new Timeline();
  for (const seq of [5, 2, 3, 5]) timeline.add(alertEvent(seq, "opened"));
  assert.equal(timeline.add({ type: "new_message", seq: 6, ts: "", data: {} }), false);
  assert.deepEqual(timeline.entries.map(({ seq }) => seq), [5, 3, 2]);
  for (let seq = 10; seq < 10 + 2 * KEPT; seq += 1) timeline.add(alertEvent(seq, "opened"));
  assert.equal(timeline.entries.length, KEPT);
  assert.equal(timeline.entries[0].seq, 9 + 2 * KEPT);
  assert.equal(timeline.add(alertEvent(4, "opened")), false);
});

test("memory does not grow over 3,600 ticks", () => {
  setFlagsFromString("--expose_gc");
  const collect = runInNewContext("gc");
  const made = board();
  let nowMs = BEGAN;
  const tick = (number) => {
    nowMs += 2_000;
    made.metrics({ values: { "sockets.count": number, "event_loop.lag_ms": number % 7, [`x.${number}`]: 1 } }, nowMs);
    made.update(health({ ...OK, redis: number % 2 ? "ok" : "down" }), nowMs);
    made.event(alertEvent(number, number % 3 ? "opened" : "closed", { id: number }));
  };
  const used = () => {
    collect();
    return process.memoryUsage().heapUsed + process.memoryUsage().arrayBuffers;
  };
  let number = 0;
  while (number < 1_200) tick((number += 1));
  const before = used();
  while (number < 4_800) tick((number += 1));
  assert.ok(used() - before < 200_000, `it grew by ${used() - before} bytes`);
  assert.equal(made.timeline.entries.length, KEPT);
  assert.ok(made.alerts.size <= ALERTS_KEPT);
  assert.deepEqual(Object.keys(made.values).length, 3);
});
