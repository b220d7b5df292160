// The project in a few lines, at the head of its room.
import { byId, element, setText } from "./dom.js";

export class SummaryView {
  #box = byId("room-summary");
  #shown = "";

  open() {
    this.#box.open = false;
  }

  render({ summary }) {
    if (summary === this.#shown) return;
    this.#shown = summary;
    const lines = summary.split("\n").filter((line) => line !== "").map(parted);
    this.#box.hidden = lines.length === 0;
    setText(byId("room-summary-first"), lines.map(({ heading, said }) => (heading ? `${heading}: ${said}` : said)).join(" · "));
    const parts = lines.flatMap(({ heading, said }) => [
      element("dt", { text: heading || "In short" }), element("dd", { text: said }),
    ]);
    byId("room-summary-all").replaceChildren(...parts);
  }
}

/** Lines are such as "Decided: ...; ..."; any other is shown as it is. */
function parted(line) {
  const at = line.indexOf(": ");
  return at < 0 ? { heading: "", said: line } : { heading: line.slice(0, at), said: line.slice(at + 2) };
}
