// What a person does with the memories of a project, by REST. All of it throws Problem.

export class Keeping {
  #rest;
  #path;
  #dispatch;

  /** `path` is that of the project in the API; `dispatch(action)` changes the room's state. */
  constructor(rest, path, dispatch) {
    this.#rest = rest;
    this.#path = path;
    this.#dispatch = dispatch;
  }

  async remember(fields) {
    this.#stored(await this.#rest.post(`${this.#path}memories/`, fields));
  }

  /** `{found: [{memory, score, why}], byKeywords}`, best first. */
  async similar(question) {
    const query = new URLSearchParams({ q: question, limit: 10 });
    const { answer, headers } = await this.#rest.getWhole(`${this.#path}memories/similar/?${query}`);
    return { found: answer, byKeywords: headers.get("X-Search-Mode") === "keywords" };
  }

  /** Take one into the state that is not held: an older one. False: it is gone. */
  async fetch(memory) {
    try {
      this.#stored(await this.#rest.get(`${this.#path}memories/${memory}/`));
      return true;
    } catch (error) {
      if (error.status !== 404) throw error;
      this.#dispatch({ type: "unstored", memory });
      return false;
    }
  }

  /** Keep what the context engine proposed. */
  async accept(memory) {
    this.#stored(await this.#rest.post(`${this.#path}proposals/${memory}/accept/`, {}));
  }

  async discard(memory) {
    await this.#rest.post(`${this.#path}proposals/${memory}/discard/`, {});
    this.#dispatch({ type: "unstored", memory });
  }

  #stored(memory) {
    this.#dispatch({ type: "stored", memory });
  }
}
