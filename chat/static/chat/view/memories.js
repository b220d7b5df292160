// The pane of memories: the list, and the form that adds one.
import { orderedMemories } from "../state.js";
import { byId, element, setText, showText } from "./dom.js";
import { submitting } from "./forms.js";
import { KeyedList } from "./keyed.js";
import { MemorySearch } from "./memory_search.js";
import { prose } from "./prose.js";
import { fullTime } from "./times.js";

export class MemoriesView {
  #room = null;
  #rows;
  #form = byId("memory-form");
  #add = byId("memory-add");
  #search = new MemorySearch();

  constructor() {
    this.#rows = new KeyedList(byId("memory-list"), {
      keyOf: ({ memory }) => String(memory.id),
      create: createMemory,
      update: fillMemory,
    });
    this.#add.addEventListener("click", () => this.#showForm(this.#form.hidden));
    byId("memory-cancel").addEventListener("click", () => this.#showForm(false));
    byId("memories-older").addEventListener("click", () => this.#older());
    const importance = byId("memory-importance");
    importance.addEventListener("input", () => showImportance(importance.valueAsNumber));
    submitting(this.#form, async (fields) => {
      await this.#room.remember({
        ...fields,
        importance: Number(fields.importance),
        pinned: fields.pinned === "on",
      });
      this.#showForm(false);
    });
  }

  open(room) {
    this.#room = room;
    this.#rows.render([]);
    this.#search.open(room);
    this.#form.hidden = true;
    this.#add.setAttribute("aria-expanded", "false");
  }

  render(state, writable) {
    const titles = new Map(state.memories.map((memory) => [memory.id, memory.title]));
    const items = orderedMemories(state).map((memory) => ({
      memory,
      rests: memory.depends_on.map((id) => titles.get(id) ?? `memory ${id}`).join(", "),
    }));
    this.#rows.render(items);
    byId("memories-empty").hidden = state.phase !== "open" || items.length > 0;
    this.#add.hidden = !writable;
    const older = byId("memories-older");
    older.hidden = !state.older.memories;
    older.disabled = state.late.memories !== null;
    setText(byId("memories-count"), items.length > 0 ? `${items.length}${state.older.memories ? "+" : ""}` : "");
  }

  #showForm(open) {
    this.#form.hidden = !open;
    this.#add.setAttribute("aria-expanded", String(open));
    if (!open) {
      this.#form.reset();
      showImportance(byId("memory-importance").valueAsNumber);
    }
    (open ? byId("memory-title") : this.#add).focus();
  }

  async #older() {
    const problem = byId("memories-problem");
    showText(problem, "");
    try {
      await this.#room.older("memories");
    } catch (error) {
      showText(problem, error.message);
    }
  }
}

function showImportance(value) {
  setText(byId("memory-importance-shown"), `${Math.round(value * 100)} %`);
}

function createMemory() {
  const title = element("span", { class: "memory-title" });
  const meta = element("span", { class: "memory-meta" });
  const meter = element("meter", { min: 0, max: 1, "aria-label": "Importance" });
  const summary = element("summary", {}, title, meta, meter);
  return element("li", { class: "memory" }, element("details", {}, summary, element("div", { class: "memory-body" })));
}

function fillMemory(row, { memory, rests }) {
  row.dataset.key = String(memory.id);
  row.classList.toggle("pinned", memory.pinned);
  setText(row.querySelector(".memory-title"), memory.title);
  const kind = element("span", { class: "chip", text: memory.kind });
  kind.dataset.kind = memory.kind;
  const pin = memory.pinned ? element("span", { class: "pin", text: "pinned" }) : null;
  row.querySelector(".memory-meta").replaceChildren(...[kind, pin].filter(Boolean));
  const meter = row.querySelector("meter");
  meter.value = memory.importance;
  meter.title = `Importance ${Math.round(memory.importance * 100)} %`;
  const facts = [
    ["Importance", `${Math.round(memory.importance * 100)} %`],
    ["Reference", memory.reference],
    ["Rests on", rests],
    ["Expires", memory.expires_at && fullTime(memory.expires_at)],
    ["Updated", fullTime(memory.updated_at)],
  ].filter(([, value]) => value);
  const list = facts.flatMap(([name, value]) => [element("dt", { text: name }), element("dd", { text: value })]);
  row.querySelector(".memory-body").replaceChildren(
    element("p", { class: "memory-text" }, ...prose(memory.body || "No details.")),
    element("dl", {}, ...list),
  );
}
