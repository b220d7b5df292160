// What a screen reader says of new messages and notices: each while they are few, their number when they pour in.
const GATHER_MS = 700;
const FEW = 3;

export class Spoken {
  #region;
  #many;
  #waiting = [];
  #timer = null;

  /** `region` is an element with aria-live; `many` is what is counted where they are too many. */
  constructor(region, many = "new messages") {
    this.#region = region;
    this.#many = many;
  }

  message({ author, kind, body }) {
    this.say(`${author?.name ?? (kind === "ai" ? "AI" : "System")}: ${body.slice(0, 200)}`);
  }

  say(text) {
    this.#waiting.push(text);
    this.#timer ??= setTimeout(() => this.#speak(), GATHER_MS);
  }

  /** What was said is to be heard and found no more. */
  hush() {
    clearTimeout(this.#timer);
    this.#timer = null;
    this.#waiting = [];
    this.#region.textContent = "";
  }

  #speak() {
    const texts = this.#waiting;
    this.#waiting = [];
    this.#timer = null;
    this.#region.textContent = texts.length <= FEW ? texts.join(". ") : `${texts.length} ${this.#many}`;
  }
}
