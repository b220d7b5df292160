// The search box of the memories. Typing narrows the list to those that have the words; Enter asks for
// what says the same as a question, with how near it is and why.
import { citation } from "./citing.js";
import { byId, element, setText } from "./dom.js";

export class MemorySearch {
  #room = null;
  #question = byId("memory-question");
  #found = byId("memory-found");
  #asked = 0;
  #onChange;

  /** `onChange()`: `filter` has become another. */
  constructor(onChange) {
    this.#onChange = onChange;
    byId("memory-search").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#ask();
    });
    this.#question.addEventListener("input", () => this.#close());
    byId("memory-found-close").addEventListener("click", () => this.clear());
  }

  /** The words that the list is narrowed to; none while a question's answer is shown. */
  get filter() {
    return this.#found.hidden ? this.#question.value : "";
  }

  open(room) {
    this.#room = room;
    this.clear();
  }

  clear() {
    this.#question.value = "";
    this.#close();
  }

  /** As if `text` was written and Enter pressed. */
  ask(text) {
    this.#question.value = text;
    this.#question.focus();
    this.#ask();
  }

  #close() {
    this.#asked += 1;
    this.#found.hidden = true;
    this.#onChange();
  }

  async #ask() {
    const question = this.#question.value.trim();
    if (question === "") return;
    const asked = (this.#asked += 1);
    let note;
    let found = [];
    try {
      const answer = await this.#room.keeping.similar(question);
      found = answer.found;
      note = noteOf(answer);
    } catch (error) {
      note = error.message;
    }
    if (asked !== this.#asked) return; // another question, or another room, since
    setText(byId("memory-found-note"), note);
    byId("memory-found-list").replaceChildren(...found.map(foundRow));
    this.#found.hidden = false;
    this.#onChange();
  }
}

function noteOf({ found, byKeywords }) {
  const how = byKeywords ? " (by keywords only: the language model is away)" : "";
  if (found.length === 0) return `Nothing says that${how}.`;
  return `${found.length} ${found.length === 1 ? "memory says" : "memories say"} something like it${how}`;
}

function foundRow({ memory, score, why }) {
  const near = element("span", { class: "score", title: "How near it is", text: `${Math.round(score * 100)} %` });
  return element("li", {}, citation("memory", memory.id, memory.title), near, element("p", { class: "why", text: why }));
}
