// The whole page: what is written at once, and what is drawn with the next frame.
import { figure, span, summary } from "../words.js";
import { AlertList } from "./alerts.js";
import { Palette } from "./canvas.js";
import { Charts } from "./charts.js";
import { byId, element, Rows, setText } from "./dom.js";
import { Happened } from "./happened.js";
import { Parts } from "./parts.js";
import { Processes, Streams } from "./processes.js";

const FRAME_MS = 1; // of drawing in one frame; a single step may go beyond it
const OLD_MS = 10_000; // since the last numbers, of which some come every 2 s

const FIGURES = [
  ["Connections", "sockets.count", ""],
  ["Delivered", "traffic.delivered_per_s", "per_s"],
  ["Lag", "event_loop.lag_ms", "ms"],
  ["Jobs waiting", "jobs.queued", ""],
];

export class Page {
  #board;
  #now;
  #asked = false;
  #parts;
  #charts;
  #alerts;
  #processes = new Processes();
  #streams = new Streams();
  #happened = new Happened();
  #figures = new Rows(byId("figures"), ([label]) => label, makeFigure);
  #streamRows = [];
  #steps = []; // of the redraw that is under way
  #longestMs = 0;
  #next = 0;

  /** `now()` is the server's clock. */
  constructor(board, { now, acknowledge }) {
    this.#board = board;
    this.#now = now;
    const redraw = () => this.redraw();
    const palette = new Palette(redraw);
    this.#parts = new Parts(board, palette, redraw);
    this.#charts = new Charts(board, palette, redraw);
    this.#alerts = new AlertList(board, acknowledge);
    document.addEventListener("visibilitychange", redraw);
  }

  streams(rows) {
    this.#streamRows = rows;
    this.redraw();
  }

  /** With the next frame, however often it is asked for; not while nobody looks. */
  redraw() {
    if (this.#asked || document.visibilityState === "hidden") return;
    this.#asked = true;
    requestAnimationFrame(() => {
      this.#asked = false;
      this.#write();
      this.#draw();
    });
  }

  #write() {
    const nowMs = this.#now();
    const board = this.#board;
    const { head, detail } = summary(board.state, board.parts);
    byId("overall-box").dataset.state = board.state;
    if (byId("overall").textContent !== head) setText(byId("overall-spoken"), `${head}. ${detail}`);
    setText(byId("overall"), head);
    setText(byId("overall-detail"), detail);
    const figures = FIGURES.map(([label, name, unit]) => [label, figure(board.values[name], unit)]);
    const nodes = { value: board.nodes > 0 ? String(board.nodes) : "–", unit: "" };
    this.#figures.render([...figures, ["Nodes", nodes]]);
    const old = board.valuesAt === null ? 0 : nowMs - board.valuesAt;
    const age = old > OLD_MS ? `no numbers for ${span(old)}` : "the last 90 minutes";
    setText(byId("charts-note"), age);
    setText(byId("nodes-note"), old > OLD_MS ? `as of ${span(old)} ago` : "");
    this.#parts.render();
    this.#parts.describe(nowMs);
    this.#alerts.render(nowMs);
    this.#charts.render();
    this.#charts.write(nowMs);
    this.#processes.render(board.members, nowMs);
    this.#streams.render(this.#streamRows);
    this.#happened.render(board.timeline.entries);
    byId("main").setAttribute("aria-busy", String(board.components.length === 0));
  }

  #draw() {
    const nowMs = this.#now();
    this.#steps = [() => this.#parts.draw(nowMs), ...this.#charts.steps(nowMs)];
    this.#longestMs = 0;
    this.#drawSome();
  }

  /** As much as a frame has time for; the rest with the next one, so that no frame is late. */
  #drawSome() {
    cancelAnimationFrame(this.#next);
    const began = performance.now();
    let passedMs = 0;
    while (this.#steps.length > 0 && passedMs < FRAME_MS) {
      this.#steps.shift()();
      passedMs = performance.now() - began;
    }
    this.#longestMs = Math.max(this.#longestMs, passedMs);
    if (this.#steps.length > 0) this.#next = requestAnimationFrame(() => this.#drawSome());
    // For tests, and for whoever wonders: the longest that a frame of this redraw took.
    else byId("main").dataset.drawMs = this.#longestMs.toFixed(2);
  }
}

function makeFigure() {
  const label = element("dt");
  const value = element("span", { class: "value" });
  const unit = element("span", { class: "unit" });
  const root = element("div", { class: "figure" }, label, element("dd", {}, value, unit));
  const update = ([text, found]) => {
    setText(label, text);
    setText(value, found.value);
    setText(unit, found.unit);
  };
  return { root, update };
}
