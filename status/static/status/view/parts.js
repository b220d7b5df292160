// The parts of the system, each with its state in words and a bar of its last 90 minutes.
import { stretches } from "../scale.js";
import { STATE_WORDS, STATES } from "../words.js";
import { Surface } from "./canvas.js";
import { byId, element, Rows, setText } from "./dom.js";

const MINUTES = 90;
const TONES = { "-1": "line", 0: "ok-bar", 1: "warn-bar", 2: "bad-bar" };

export class Parts {
  #board;
  #palette;
  #redraw;
  #rows;
  #buffer = new Float64Array(MINUTES);

  constructor(board, palette, redraw) {
    this.#board = board;
    this.#palette = palette;
    this.#redraw = redraw;
    this.#rows = new Rows(byId("part-list"), ({ name }) => name, (part) => this.#made(part));
  }

  render() {
    const { parts } = this.#board;
    byId("parts-empty").hidden = parts.length > 0;
    this.#rows.render(parts);
  }

  /** Bars, and what they say in words. */
  draw(nowMs) {
    for (const [name, { surface }] of this.#rows) {
      const found = stretches(this.#board.bar(name, nowMs, this.#buffer));
      this.#drawBar(surface, found);
    }
  }

  describe(nowMs) {
    for (const [name, { surface }] of this.#rows) {
      const words = described(stretches(this.#board.bar(name, nowMs, this.#buffer)));
      if (surface.canvas.getAttribute("aria-label") !== words) {
        surface.canvas.setAttribute("aria-label", words);
      }
    }
  }

  #drawBar({ context, width, height }, found) {
    context.clearRect(0, 0, width, height);
    const cell = width / MINUTES;
    for (const [level, from, to] of found) {
      context.fillStyle = this.#palette.of(TONES[level]);
      // A minute's trouble must be seen on a narrow screen, too.
      const begin = Math.round(from * cell);
      const end = Math.max(Math.round(to * cell), begin + (level > 0 ? 2 : 1));
      context.fillRect(begin, 0, end - begin, height);
    }
  }

  #made({ name, label }) {
    const mark = element("span", { class: "mark", "aria-hidden": "true" });
    const word = element("span", { class: "word" });
    const text = element("p", { class: "text" });
    const canvas = element("canvas", { role: "img" });
    const root = element(
      "li",
      { "data-part": name },
      element("div", { class: "head" }, mark, element("h3", { text: label }), word),
      canvas,
      text,
    );
    const surface = new Surface(canvas, this.#redraw);
    const update = (part) => {
      root.dataset.state = part.state;
      setText(word, STATE_WORDS[part.state] ?? part.state);
      setText(text, part.text);
      text.hidden = part.text === "";
    };
    return { root, surface, update };
  }
}

/** "The last 90 minutes: ok 80 min, down 2 min, not known 8 min". */
function described(found) {
  const minutes = new Map();
  for (const [level, from, to] of found) minutes.set(level, (minutes.get(level) ?? 0) + to - from);
  const words = [...minutes].sort(([a], [b]) => b - a);
  const told = words.map(([level, count]) => `${STATE_WORDS[STATES[level] ?? "unknown"]} ${count} min`);
  return `The last 90 minutes: ${told.join(", ")}`;
}
