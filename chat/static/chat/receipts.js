// Receipts of this person's newest message: nobody is told of each delivery, so they are asked for,
// ever more rarely, until everybody has it.
const WAITS_MS = [1_500, 3_000, 6_000, 15_000, 60_000];
/** A reading is news: what it says of this message is asked soon. */
const SOON_MS = 500;

export class ReceiptWatch {
  #ask;
  #message = null;
  #asked = 0;
  #timer = null;

  /** `ask(message)` resolves with whether everybody has the message, and never rejects. */
  constructor(ask) {
    this.#ask = ask;
  }

  /** Watch this message from now on, or none with null. */
  watch(message) {
    if (message === this.#message) return;
    this.stop();
    this.#message = message;
    if (message !== null) this.#wait(WAITS_MS[0]);
  }

  again() {
    if (this.#timer !== null) this.#wait(SOON_MS);
  }

  stop() {
    clearTimeout(this.#timer);
    this.#timer = null;
    this.#message = null;
    this.#asked = 0;
  }

  #wait(ms) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#look(), ms);
  }

  async #look() {
    const message = this.#message;
    this.#asked += 1;
    const done = document.visibilityState === "visible" && (await this.#ask(message));
    if (message !== this.#message) return;
    this.#timer = null;
    if (!done) this.#wait(WAITS_MS[Math.min(this.#asked, WAITS_MS.length - 1)]);
  }
}
