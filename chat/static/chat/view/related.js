// What the project knows beside a message: proposals to keep, similar issues, memories that matter.
// Beside the list where there is room, else below the message.
import { related } from "../insights.js";
import { mayWrite } from "../state.js";
import { citation } from "./citing.js";
import { decision } from "./decision.js";
import { byId, element } from "./dom.js";
import { steady, watched } from "./steady.js";

/** Shown at once; the others on demand. */
const FIRST = 3;
const EXCERPT_CHARS = 140;

/** The part of the state that this shows, the same for as long as it says the same; or null. */
export class RelatedFinder {
  #same = steady();
  #changed = watched();
  #found = null;

  find(state, chosen) {
    const { messages, memories, insights, older, role } = state;
    if (this.#changed(messages, memories, insights, older, role, chosen)) this.#found = this.#look(state, chosen);
    return this.#found;
  }

  #look(state, chosen) {
    this.#same.turn();
    const found = related(state, chosen);
    if (found === null) return null;
    const message = state.messages.find(({ id }) => id === found.message);
    const titles = new Map(state.memories.map(({ id, title }) => [id, title]));
    return this.#same("related", {
      ...found,
      who: message.author?.name ?? (message.kind === "ai" ? "AI" : "System"),
      excerpt: message.body.slice(0, EXCERPT_CHARS),
      resting: found.resting.map((id) => ({ memory: id, title: titles.get(id) ?? `memory ${id}` })),
      writable: mayWrite(state),
    });
  }
}

/** The part of the page beside the list. */
export class RelatedPane {
  #section = byId("related");
  #body = byId("related-body");
  #back = byId("related-back");
  #actions;
  #shown = null;

  /** `actions` are `unchoose()`, `search(text)`, `accept(memory)` and `discard(memory)`. */
  constructor(actions) {
    this.#actions = actions;
    this.#back.addEventListener("click", () => actions.unchoose());
  }

  render(found) {
    this.#section.hidden = found === null;
    if (found === this.#shown) return;
    this.#shown = found;
    this.#back.hidden = !(found?.chosen ?? false);
    this.#body.replaceChildren(...(found === null ? [] : relatedParts(found, this.#actions)));
  }

  focus() {
    byId("related-title").focus();
  }
}

/** A row of the list, below its message. */
export function createRelatedRow() {
  const summary = element("summary");
  const box = element("details", {}, summary, element("div", { class: "related-body" }));
  return element("li", { class: "related-row" }, box);
}

export function fillRelatedRow(row, { key, related: found }, actions) {
  row.dataset.key = key;
  const box = row.firstElementChild;
  if (row.dataset.of !== String(found.message)) box.open = found.chosen;
  row.dataset.of = String(found.message);
  box.firstElementChild.textContent = countOf(found);
  box.lastElementChild.replaceChildren(...relatedParts(found, actions));
}

function countOf({ proposals, issues, memories, known }) {
  const counts = [
    [proposals, "proposal", "proposals"], [issues, "similar issue", "similar issues"], [memories, "memory", "memories"],
  ];
  const said = counts.filter(([{ length }]) => length > 0).map(([{ length }, one, many]) => `${length} ${length === 1 ? one : many}`);
  return said.join(" · ") || (known ? "Nothing like it is known" : "Not looked at");
}

function relatedParts(found, actions) {
  const { message, who, excerpt, proposals, issues, memories, resting, known, writable } = found;
  const nothing = proposals.length + issues.length + memories.length === 0;
  const parts = [
    element("p", { class: "related-of" }, `${who}: `, citation("message", message, excerpt || "…")),
    proposals.length > 0 && element(
      "section", {},
      element("h3", { text: proposals.length === 1 ? "Keep this?" : "Keep these?" }),
      ...proposals.map((one) => proposal(one, writable, actions)),
    ),
    issues.length > 0 && matches("Similar issues", issues),
    memories.length > 0 && matches(issues.length > 0 ? "Other memories that matter" : "Memories that matter", memories),
    resting.length > 0 && restingLine(resting),
    nothing && element("p", { class: "note", text: known ? "Nothing the project knows is like it." : "It was not looked at yet, or too long ago." }),
    nothing && element("button", {
      type: "button", class: "link", text: "Search the memories for it", on: { click: () => actions.search(excerpt) },
    }),
  ];
  return parts.filter(Boolean);
}

function proposal({ memory, kind, title }, writable, actions) {
  const name = element("p", {}, element("span", { class: "chip", text: kind }), " ", citation("memory", memory, title));
  return element("div", { class: "proposal" }, name, writable ? decision(memory, title, actions) : "");
}

function matches(heading, list) {
  const shown = element("ol", { class: "matches" }, ...list.slice(0, FIRST).map(match));
  const others = list.slice(FIRST);
  const more = others.length > 0 && element(
    "details", { class: "more-matches" },
    element("summary", { text: `${others.length} more` }),
    element("ol", { class: "matches" }, ...others.map(match)),
  );
  return element("section", {}, element("h3", { text: heading }), shown, more || "");
}

function match({ memory, title, score, why }) {
  const percent = `${Math.round(score * 100)} %`;
  const near = element("span", { class: "score", title: "How near it is", text: percent });
  return element("li", {}, citation("memory", memory, title), near, element("p", { class: "why", text: why }));
}

function restingLine(resting) {
  const links = resting.slice(0, FIRST).flatMap(({ memory, title }, at) => [at > 0 ? ", " : "", citation("memory", memory, title)]);
  const more = resting.length > FIRST ? ` and ${resting.length - FIRST} more` : "";
  return element("p", { class: "note" }, "May have to change with them: ", ...links, more);
}
