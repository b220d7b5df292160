// The charts, each with its figure, its legend and a table of the same for whoever cannot see lines.
import { SLOT_MS, WINDOW_MS } from "../measures.js";
import { figure, written } from "../words.js";
import { Surface } from "./canvas.js";
import { byId, element, setText } from "./dom.js";
import { drawLines } from "./lines.js";

const SLOTS = WINDOW_MS / SLOT_MS;
const ROWS = 10; // of the table: now, and every ten minutes before
const ROW_SLOTS = 60; // ten minutes

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });

export class Charts {
  #board;
  #palette;
  #grid = byId("chart-grid");
  #shown = [];
  #redraw;

  /** `redraw()` asks for a draw soon. */
  constructor(board, palette, redraw) {
    this.#board = board;
    this.#palette = palette;
    this.#redraw = redraw;
  }

  /** The charts that there are; made again only when others are. */
  render() {
    const names = this.#board.charts.map(({ name, lines }) => `${name}:${lines.length}`).join();
    if (this.#grid.dataset.charts === names) return;
    this.#grid.dataset.charts = names;
    this.#shown = this.#board.charts.map((chart) => this.#made(chart));
    this.#grid.replaceChildren(...this.#shown.map(({ root }) => root));
  }

  /** What stands beside the lines. */
  write(nowMs) {
    for (const shown of this.#shown) {
      const { chart, value, unit, keys, table } = shown;
      const present = chart.lines.map(({ name }) => this.#present(name));
      const first = present.find(Number.isFinite) ?? Number.NaN;
      const big = figure(first, chart.unit);
      setText(value, big.value);
      setText(unit, big.unit);
      keys.forEach((key, at) => setText(key, written(present[at], chart.unit)));
      if (table.open) this.#fillTable(shown, nowMs);
    }
  }

  /** What there is to draw, a step for each chart. */
  steps(nowMs) {
    const style = this.#style();
    return this.#shown.map(({ chart, surface, buffers }) => () => {
      chart.lines.forEach(({ name }, at) => this.#board.line(name, nowMs, buffers[at]));
      drawLines(surface, buffers, style, (value) => written(value, chart.unit));
    });
  }

  #present(name) {
    return this.#board.values[name] ?? Number.NaN;
  }

  #style() {
    const tones = ["tone-0", "tone-3", "tone-2", "tone-1", "tone-5"];
    return {
      grid: this.#palette.of("line"),
      text: this.#palette.of("muted"),
      font: "11px system-ui, sans-serif",
      tones: tones.map((name) => this.#palette.of(name)),
    };
  }

  #made(chart) {
    const value = element("span", { class: "value", text: "–" });
    const unit = element("span", { class: "unit" });
    const keys = chart.lines.map(() => element("span", { class: "key-value", text: "–" }));
    const legend = chart.lines.map(({ label }, at) =>
      element("li", {}, element("span", { class: `swatch tone-${at}`, "aria-hidden": "true" }), `${label} `, keys[at]),
    );
    const canvas = element("canvas", {
      role: "img",
      "aria-label": `${chart.title} over the last 90 minutes; the same as a table follows`,
    });
    const body = element("tbody");
    const heads = ["Time", ...chart.lines.map(({ label }) => label)];
    const table = element(
      "details",
      { class: "chart-table" },
      element("summary", { text: "Table" }, element("span", { class: "hidden", text: ` of ${chart.title}` })),
      element(
        "table",
        {},
        element("caption", { class: "hidden", text: `${chart.title}, the highest of each 10 minutes` }),
        element("thead", {}, element("tr", {}, ...heads.map((text) => element("th", { scope: "col", text })))),
        body,
      ),
    );
    const root = element(
      "article",
      { class: "chart", "data-chart": chart.name },
      element("header", {}, element("h3", { text: chart.title }), element("p", { class: "now" }, value, unit)),
      canvas,
      element("ul", { class: "legend" }, ...legend),
      table,
    );
    const buffers = chart.lines.map(() => new Float64Array(SLOTS));
    const shown = { chart, root, value, unit, keys, table, body, buffers, filledAt: 0 };
    shown.surface = new Surface(canvas, this.#redraw);
    table.addEventListener("toggle", () => {
      shown.filledAt = 0;
      this.#redraw();
    });
    return shown;
  }

  /** Not more often than a slot lasts: whoever reads it is not interrupted. */
  #fillTable(shown, nowMs) {
    if (nowMs - shown.filledAt < SLOT_MS) return;
    shown.filledAt = nowMs;
    const { chart, body, buffers } = shown;
    chart.lines.forEach(({ name }, at) => this.#board.line(name, nowMs, buffers[at]));
    const rows = [];
    for (let row = 0; row < ROWS; row += 1) {
      const to = SLOTS - row * ROW_SLOTS;
      if (to <= 0) break;
      const cells = buffers.map((buffer) => written(highestOf(buffer, to - ROW_SLOTS, to), chart.unit));
      const time = clock.format(new Date(nowMs - row * ROW_SLOTS * SLOT_MS));
      rows.push(
        element(
          "tr",
          {},
          element("th", { scope: "row", text: row === 0 ? `to ${time} (now)` : `to ${time}` }),
          ...cells.map((text) => element("td", { text })),
        ),
      );
    }
    body.replaceChildren(...rows);
  }
}

function highestOf(buffer, from, to) {
  let found = Number.NaN;
  for (let at = Math.max(0, from); at < to; at += 1) {
    if (!Number.isNaN(buffer[at]) && !(buffer[at] <= found)) found = buffer[at];
  }
  return found;
}
