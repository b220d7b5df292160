// Older rows from the REST API, newest first there, a page at a time.

const ROWS = 50;
/** Pages asked for in one go when they only hold what the page has already. */
const PAGES = 20;

export class Pages {
  #rest;
  #first;
  #next;

  /** `messages` and `memories` are the paths of the two lists. */
  constructor(rest, messages, memories) {
    this.#rest = rest;
    this.#first = { messages, memories };
    this.#next = { messages: null, memories: null };
    this.restart("messages");
    this.restart("memories");
  }

  /** What is held of `list` was replaced or cut: begin again at the newest. */
  restart(list) {
    this.#next[list] = { link: `${this.#first[list]}?limit=${ROWS}` };
  }

  /**
   * `{rows, more}`: the next page of `list` that holds something not in `held()`. The answers'
   * cursors continue from the newest row, so the first pages may hold only known rows.
   */
  async older(list, held) {
    const rows = [];
    const next = this.#next[list]; // its own object: a restart meanwhile must not be overwritten
    for (let page = 0; page < PAGES && next.link !== null; page += 1) {
      const answer = await this.#rest.get(next.link);
      next.link = answer.next === null ? null : sameOrigin(answer.next);
      rows.push(...answer.results);
      const known = new Set(held().map((row) => row.id));
      if (answer.results.some((row) => !known.has(row.id))) break;
    }
    return { rows, more: next.link !== null };
  }
}

/** Behind a proxy the server may not know by which scheme and host it was reached. */
function sameOrigin(link) {
  const { pathname, search } = new URL(link, globalThis.location?.href);
  return pathname + search;
}
