// Telling the others that this person types: at most every 3 s, which is what the server passes on.
const REPEAT_MS = 3_000;
/** Nothing pressed for so long: they have stopped. */
const PAUSE_MS = 5_000;

export class TypingNotice {
  #tell;
  #toldAt = -Infinity;
  #pause = null;

  /** `tell(on)` sends the command. */
  constructor(tell) {
    this.#tell = tell;
  }

  pressed() {
    clearTimeout(this.#pause);
    this.#pause = setTimeout(() => this.stop(), PAUSE_MS);
    const now = performance.now();
    if (now - this.#toldAt < REPEAT_MS) return;
    this.#toldAt = now;
    this.#tell(true);
  }

  stop() {
    if (this.#toldAt === -Infinity) return;
    this.sent();
    this.#tell(false);
  }

  /** The message is on its way, which by itself tells the server that the typing has ended. */
  sent() {
    clearTimeout(this.#pause);
    this.#toldAt = -Infinity;
  }
}
