// The drawer of memories: the list with its filters, and the form that adds one.
import { doubtOf } from "../insights.js";
import { filteredMemories, isProposed, neighbourhood, orderedMemories } from "../memories.js";
import { byId, setText, showText } from "./dom.js";
import { submitting } from "./forms.js";
import { KeyedList } from "./keyed.js";
import { createMemory, fillMemory } from "./memory_row.js";
import { MemorySearch } from "./memory_search.js";
import { steady, watched } from "./steady.js";
import { dueName } from "./times.js";

export class MemoriesView {
  #room = null;
  #rows;
  #same = steady();
  #changed = watched();
  #form = byId("memory-form");
  #add = byId("memory-add");
  #show = byId("memory-show");
  #kind = byId("memory-of-kind");
  #search;
  #wanted = null;
  #onChange;

  /** `onChange()`: something else is to be shown; `actions` as in decision.js. */
  constructor(onChange, actions) {
    this.#onChange = onChange;
    this.#search = new MemorySearch(onChange);
    this.#rows = new KeyedList(byId("memory-list"), {
      keyOf: ({ memory }) => String(memory.id),
      create: createMemory,
      update: (row, item) => fillMemory(row, item, actions),
    });
    this.#add.addEventListener("click", () => this.#showForm(this.#form.hidden));
    byId("memory-cancel").addEventListener("click", () => this.#showForm(false));
    byId("memories-older").addEventListener("click", () => this.#older());
    byId("memories-all").addEventListener("click", () => this.#clear());
    for (const select of [this.#show, this.#kind]) select.addEventListener("change", onChange);
    const importance = byId("memory-importance");
    importance.addEventListener("input", () => showImportance(importance.valueAsNumber));
    submitting(this.#form, async (fields) => {
      await this.#room.keeping.remember({
        ...fields,
        importance: Number(fields.importance),
        pinned: fields.pinned === "on",
      });
      this.#showForm(false);
    });
  }

  open(room) {
    this.#room = room;
    this.#wanted = null;
    this.#changed = watched();
    this.#show.value = "all";
    this.#kind.value = "";
    this.#rows.render([]);
    this.#search.open(room);
    this.#form.hidden = true;
    this.#add.setAttribute("aria-expanded", "false");
  }

  render(state, writable) {
    const filter = { show: this.#show.value, kind: this.#kind.value, text: this.#search.filter };
    const minute = Math.floor(Date.now() / 60_000); // "expires tomorrow" is another text tomorrow
    const { memories, insights, older, late, phase } = state;
    const inputs = [memories, insights, older, late, phase, writable, minute, ...Object.values(filter)];
    // An answer that grows renders the page 25 times a second; the drawer has nothing of it.
    if (this.#changed(...inputs)) this.#fill(state, writable, filter);
    this.#reveal();
  }

  #fill(state, writable, filter) {
    const ordered = orderedMemories(state);
    const toldOf = this.#teller(state, writable);
    const items = filteredMemories(ordered, filter).map((memory) => ({ memory, told: toldOf(memory) }));
    this.#same.turn();
    this.#rows.render(items);
    const filtered = items.length < ordered.length;
    byId("memories-empty").hidden = state.phase !== "open" || ordered.length > 0;
    byId("memories-filtered").hidden = !filtered;
    const many = `${items.length} of ${ordered.length}${state.older.memories ? " loaded" : ""} shown.`;
    setText(byId("memories-filtered-text"), items.length > 0 ? many : `None of ${ordered.length} fits.`);
    byId("memory-filters").hidden = ordered.length === 0;
    this.#add.hidden = !writable;
    const more = byId("memories-older");
    more.hidden = !state.older.memories;
    more.disabled = state.late.memories !== null;
    const kept = ordered.filter((memory) => !isProposed(memory)).length;
    setText(byId("memories-count"), kept > 0 ? `${kept}${state.older.memories ? "+" : ""}` : "");
  }

  /** Bring a memory that is held into view, opened. */
  reveal(id) {
    this.#wanted = id;
    this.#clear();
  }

  search(text) {
    this.#search.ask(text);
  }

  /** What a row shows beside its memory, the same value for as long as it says the same. */
  #teller(state, writable) {
    const titles = new Map(state.memories.map(({ id, title }) => [id, title]));
    const titled = (id) => ({ id, title: titles.get(id) ?? null });
    const near = (list) => list.map(({ id, depth }) => ({ ...titled(id), depth }));
    const neighbours = neighbourhood(state.memories);
    return (memory) => {
      const { restsOn, resting } = neighbours(memory.id);
      const doubt = doubtOf(state, memory);
      return this.#same(memory.id, {
        expiry: memory.expires_at === null ? "" : dueName(memory.expires_at),
        doubt: doubt === null ? null : titled(doubt),
        restsOn: near(restsOn),
        resting: near(resting),
        writable,
      });
    };
  }

  #reveal() {
    const row = this.#wanted === null ? null : this.#rows.at(String(this.#wanted));
    if (row === null) return;
    this.#wanted = null;
    const details = row.querySelector("details");
    details.open = true;
    row.scrollIntoView({ block: "nearest" });
    row.classList.remove("found");
    requestAnimationFrame(() => row.classList.add("found"));
    details.firstElementChild.focus({ preventScroll: true });
  }

  #clear() {
    this.#show.value = "all";
    this.#kind.value = "";
    this.#search.clear();
    this.#onChange();
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
