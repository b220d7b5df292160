// One memory in the drawer.
import { citation } from "./citing.js";
import { decision } from "./decision.js";
import { element, setText } from "./dom.js";
import { prose } from "./prose.js";
import { fullTime } from "./times.js";

export function createMemory() {
  const title = element("span", { class: "memory-title" });
  const meta = element("span", { class: "memory-meta" });
  const meter = element("meter", { min: 0, max: 1, "aria-label": "Importance" });
  const worth = element("span", { class: "memory-worth" }, element("span", { class: "memory-band" }), meter);
  const summary = element("summary", {}, title, meta, worth);
  const details = element("details", {}, summary, element("div", { class: "memory-body" }));
  return element("li", { class: "memory" }, details, element("div", { class: "memory-decision" }));
}

/**
 * Fill `row` with `{memory, told}`; `told`: `{expiry, doubt, restsOn, resting, writable}`, the lists as
 * `[{id, title, depth}]`, what is not held with the title null. `actions` as in decision.js.
 */
export function fillMemory(row, { memory, told }, actions) {
  const proposed = memory.status === "proposed";
  row.dataset.key = row.dataset.memory = String(memory.id);
  row.classList.toggle("pinned", memory.pinned);
  row.classList.toggle("proposed", proposed);
  setText(row.querySelector(".memory-title"), memory.title);
  row.querySelector(".memory-meta").replaceChildren(...marks(memory, told, proposed));
  const known = Object.hasOwn(BANDS, memory.relevance) && !proposed;
  row.querySelector(".memory-band").replaceChildren(...(known ? [band(memory.relevance)] : []));
  const meter = row.querySelector("meter");
  meter.hidden = proposed;
  meter.value = memory.importance;
  meter.title = `Importance ${percentOf(memory)}`;
  row.querySelector(".memory-body").replaceChildren(
    told.doubt === null ? "" : doubtNote(told.doubt),
    element("p", { class: "memory-text" }, ...prose(memory.body || "No details.", citation)),
    facts(memory, told),
  );
  const deciding = proposed && told.writable ? [decision(memory.id, memory.title, actions)] : [];
  row.querySelector(".memory-decision").replaceChildren(...deciding);
}

const percentOf = ({ importance }) => `${Math.round(importance * 100)} %`;

const BANDS = {
  high: "Relevance: high",
  medium: "Relevance: medium, it was not used for a while",
  low: "Relevance: low, it was not used for long",
};

/** Three small bars, of which fewer are filled the less a memory is used. */
function band(relevance) {
  const bars = Array.from({ length: 3 }, () => element("i", { "aria-hidden": "true" }));
  const said = element("span", { class: "hidden", text: BANDS[relevance] });
  return element("span", { class: "band", "data-band": relevance, title: BANDS[relevance] }, ...bars, said);
}

function marks(memory, { expiry, doubt }, proposed) {
  const kind = element("span", { class: "chip", text: memory.kind });
  kind.dataset.kind = memory.kind;
  return [
    kind,
    proposed && element("span", { class: "mark new", text: "proposed" }),
    memory.pinned && element("span", { class: "mark pin", text: "pinned" }),
    expiry !== "" && (!proposed || memory.expiring) && element("span", { class: "mark due", "data-soon": memory.expiring === true, text: `expires ${expiry}` }),
    doubt !== null && element("span", { class: "mark due", "data-soon": true, text: "check it" }),
  ].filter(Boolean);
}

function doubtNote({ id, title }) {
  const what = title === null ? "a memory that is gone" : citation("memory", id, title);
  return element("p", { class: "doubt" }, "What it rests on has changed: ", what, ". Is it still right?");
}

function facts(memory, { restsOn, resting }) {
  const rows = [
    ["Importance", percentOf(memory)],
    ["From", memory.source?.message && citation("message", memory.source.message, "a message")],
    ["Reference", memory.reference],
    ["Rests on", restsOn.length > 0 && tree(restsOn)],
    ["On it rest", resting.length > 0 && tree(resting)],
    ["Expires", memory.expires_at && fullTime(memory.expires_at)],
    ["Updated", fullTime(memory.updated_at)],
  ].filter(([, value]) => value);
  return element("dl", {}, ...rows.flatMap(([name, value]) => [element("dt", { text: name }), element("dd", {}, value)]));
}

/** Nearest first; what is reached by others is set in. */
function tree(list) {
  const items = list.map(({ id, title, depth }) => {
    const item = element("li", {}, citation("memory", id, title ?? `memory ${id}`));
    item.dataset.depth = String(Math.min(depth, 4));
    return item;
  });
  return element("ul", { class: "tree" }, ...items);
}
