// The search box of the memories: what says the same as a question, with how near it is and why.
import { byId, element, setText } from "./dom.js";

export class MemorySearch {
  #room = null;
  #question = byId("memory-question");
  #asked = 0;

  constructor() {
    byId("memory-search").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#ask();
    });
    // The box's own cross, and an emptied box, put the results away.
    this.#question.addEventListener("input", () => this.#question.value === "" && this.#close());
  }

  open(room) {
    this.#room = room;
    this.#question.value = "";
    this.#close();
  }

  #close() {
    this.#asked += 1;
    byId("memory-found").hidden = true;
  }

  async #ask() {
    const question = this.#question.value.trim();
    if (question === "") return;
    const asked = (this.#asked += 1);
    let note;
    let found = [];
    try {
      const answer = await this.#room.similar(question);
      found = answer.found;
      note = noteOf(answer);
    } catch (error) {
      note = error.message;
    }
    if (asked !== this.#asked) return; // another question, or another room, since
    setText(byId("memory-found-note"), note);
    byId("memory-found-list").replaceChildren(...found.map(foundRow));
    byId("memory-found").hidden = false;
  }
}

function noteOf({ found, byKeywords }) {
  const how = byKeywords ? " (by keywords only: the language model is away)" : "";
  if (found.length === 0) return `Nothing says that${how}.`;
  return `${found.length} ${found.length === 1 ? "memory says" : "memories say"} something like it${how}`;
}

function foundRow({ memory, score, why }) {
  const percent = Math.round(score * 100);
  const meta = element("span", { class: "memory-meta" }, element("span", { class: "chip", text: `${percent} %` }));
  return element(
    "li",
    { class: "memory" },
    element(
      "details",
      {},
      element("summary", {}, element("span", { class: "memory-title", text: memory.title }), meta),
      element("div", { class: "memory-body" }, element("p", { class: "memory-text", text: memory.body || "No details." })),
    ),
    element("p", { class: "found-note", text: why }),
  );
}
