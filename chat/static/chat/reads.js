// Read marks: how far this person has read, told at most once a second and only forwards.
const INTERVAL_MS = 1_000;

export class ReadMarks {
  #tell;
  #wanted = 0;
  #told = 0;
  #timer = null;

  /**
   * Up to where a fresh state counts as unread: its head when somebody else wrote last, else 0.
   * Messages of a snapshot have no seq of their own.
   */
  snapshotHead = 0;

  /** `tell(seq)` sends the command. */
  constructor(tell) {
    this.#tell = tell;
  }

  /** A fresh state, in which the person's mark stands at `mark`. */
  restart(mark, snapshotHead) {
    this.#told = mark;
    this.#wanted = mark;
    this.snapshotHead = snapshotHead;
  }

  /**
   * Everything up to `seq` was seen. `seq` must be that of a *message*: the mark is an event too,
   * and marking that as read would go on for ever.
   */
  reached(seq) {
    this.#wanted = Math.max(this.#wanted, seq);
    if (this.#timer === null && this.#wanted > this.#told) this.#flush();
  }

  pause() {
    clearTimeout(this.#timer);
    this.#timer = null;
  }

  #flush() {
    this.#timer = null;
    if (this.#wanted <= this.#told) return;
    this.#told = this.#wanted;
    this.#tell(this.#told);
    this.#timer = setTimeout(() => this.#flush(), INTERVAL_MS);
  }
}
