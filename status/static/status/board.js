// The state of the system as the page knows it: parts with their last 90 minutes, measures, alerts,
// what happened. Everything that grows has a bound. Pure: no page, no socket.
import { Alerts } from "./alerts.js";
import { chartsFor, measuresOf, SLOT_MS, WINDOW_MS } from "./measures.js";
import { Slots } from "./slots.js";
import { Timeline } from "./timeline.js";
import { STATES } from "./words.js";

const MINUTE_MS = 60_000;

export class Board {
  alerts = new Alerts();
  timeline = new Timeline();
  components = [];
  charts = [];
  members = [];
  values = {};
  state = "unknown";
  nodes = 0;
  valuesAt = null; // ms of the server's clock
  changes = 0; // of states and alerts, as the stream told them
  #parts = {};
  #texts = {};
  #bars = new Map();
  #slots = new Map();

  /** The whole, as the snapshot and the API give it. */
  whole({ components, alerts, ...health }, nowMs) {
    this.components = components;
    const measures = measuresOf(components);
    this.charts = chartsFor(measures);
    for (const { lines } of this.charts) {
      for (const { name, merge } of lines) this.#slotsOf(name, merge);
    }
    for (const { name } of components) this.#barOf(name);
    this.alerts.replace(alerts);
    this.known(health, nowMs);
  }

  /** States, numbers and processes, as asked for. */
  known({ members, values, ...health }, nowMs) {
    this.members = members;
    this.#health(health);
    if (this.valuesAt === null && Object.keys(values).length > 0) this.metrics({ values }, nowMs);
  }

  /** A `system_status_update` or `health_check`. */
  update(health, nowMs) {
    this.changes += 1;
    this.#health(health);
    this.tick(nowMs);
  }

  /** A `metrics_update`. */
  metrics({ values, part = null }, nowMs) {
    if (part !== null) return; // of one broadcast, say
    this.values = values;
    this.valuesAt = nowMs;
    for (const [name, slots] of this.#slots) slots.add(nowMs, values[name]);
    this.tick(nowMs);
  }

  /** An event of the stream. */
  event(frame) {
    if (frame.type === "performance_alert") {
      this.changes += 1;
      this.alerts.event(frame);
    }
    this.timeline.add(frame); // a signal is none of it: it has no seq
  }

  /** Time passes, and nothing was told: the states go on. */
  tick(nowMs) {
    for (const [name, bar] of this.#bars) bar.add(nowMs, STATES.indexOf(this.#parts[name] ?? ""));
  }

  /** The 90 minutes before this page was opened. */
  past({ begin, step, series }, nowMs) {
    const beginMs = Date.parse(begin);
    for (const [name, values] of Object.entries(series)) {
      const [component, measure] = name.split(".");
      const [slots, slotMs] =
        measure === "state"
          ? [this.#bars.get(component), MINUTE_MS]
          : [this.#slots.get(name), SLOT_MS];
      if (slots !== undefined) fill(slots, slotMs, { beginMs, stepMs: step * 1000, values }, nowMs);
    }
  }

  /** Names of the measures that charts need. */
  get charted() {
    return [...this.#slots.keys()];
  }

  /** What has been looked at, in the order of the components. */
  get parts() {
    return this.components
      .filter(({ name }) => name in this.#parts)
      .map(({ name, label, vital, meaning }) => {
        const state = this.#parts[name];
        return { name, label, vital, state, text: this.#texts[name] ?? meaning[state] ?? "" };
      })
      .map((part) => (part.state === "ok" ? { ...part, text: "" } : part));
  }

  line(name, nowMs, into) {
    return this.#slots.get(name).read(nowMs, into);
  }

  bar(name, nowMs, into) {
    return this.#bars.get(name).read(nowMs, into);
  }

  #health({ state, parts, texts, nodes }) {
    this.state = state;
    this.#parts = parts;
    this.#texts = texts;
    this.nodes = nodes;
  }

  #slotsOf(name, merge) {
    if (!this.#slots.has(name)) {
      this.#slots.set(name, new Slots({ slotMs: SLOT_MS, length: WINDOW_MS / SLOT_MS, merge }));
    }
  }

  #barOf(name) {
    if (!this.#bars.has(name)) {
      this.#bars.set(name, new Slots({ slotMs: MINUTE_MS, length: WINDOW_MS / MINUTE_MS }));
    }
  }
}

function fill(slots, slotMs, { beginMs, stepMs, values }, nowMs) {
  values.forEach((value, at) => {
    if (value === null) return;
    const from = beginMs + at * stepMs;
    const to = Math.min(from + stepMs, nowMs);
    for (let ms = from; ms < to; ms += slotMs) slots.fill(ms, value);
  });
}
