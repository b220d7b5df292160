// A measure over a bounded time: one value per slot, in arrays that are made once and never grow.

const NOTHING = Number.NaN;

export class Slots {
  #values;
  #counts;
  #slotMs;
  #merge;
  #last = null; // number of the newest slot, counted from 1970

  /** `merge`: what the values of one slot become: "max", "min", or "sum" for their average. */
  constructor({ slotMs, length, merge = "max" }) {
    this.#slotMs = slotMs;
    this.#merge = merge;
    this.#values = new Float64Array(length).fill(NOTHING);
    this.#counts = new Uint32Array(length);
  }

  get length() {
    return this.#values.length;
  }

  /** Add what was measured at `atMs`; what is older than the window is left out. */
  add(atMs, value) {
    if (!Number.isFinite(value) || !Number.isFinite(atMs)) return;
    const slot = Math.floor(atMs / this.#slotMs);
    if (this.#last === null) this.#last = slot;
    if (slot > this.#last) this.#advance(slot);
    if (slot <= this.#last - this.length) return;
    const index = slot % this.length;
    const count = this.#counts[index];
    this.#counts[index] = count + 1;
    this.#values[index] = count === 0 ? value : this.#joined(this.#values[index], value, count);
  }

  /** What history knows of a slot: it counts where nothing was heard live. */
  fill(atMs, value) {
    const slot = Math.floor(atMs / this.#slotMs);
    if (this.#last !== null && slot <= this.#last && slot > this.#last - this.length) {
      if (this.#counts[slot % this.length] > 0) return;
    }
    this.add(atMs, value);
  }

  /**
   * The values of the `length` slots that end with the one of `nowMs`, oldest first, NaN where
   * nothing was measured. Fills `into` and returns it.
   */
  read(nowMs, into) {
    const { length } = this;
    into.fill(NOTHING);
    if (this.#last === null) return into;
    const newest = Math.floor(nowMs / this.#slotMs);
    const from = Math.max(newest, this.#last) - length + 1; // what is both kept and wanted
    const to = Math.min(newest, this.#last);
    let index = ((from % length) + length) % length;
    for (let slot = from; slot <= to; slot += 1) {
      if (this.#counts[index] > 0) into[slot - newest + length - 1] = this.#values[index];
      index = index + 1 === length ? 0 : index + 1;
    }
    return into;
  }

  #joined(before, value, count) {
    if (this.#merge === "max") return Math.max(before, value);
    if (this.#merge === "min") return Math.min(before, value);
    return before + (value - before) / (count + 1);
  }

  #advance(slot) {
    const passed = Math.min(slot - this.#last, this.length);
    for (let at = 0; at < passed; at += 1) {
      const index = (slot - at) % this.length;
      this.#counts[index] = 0;
      this.#values[index] = NOTHING;
    }
    this.#last = slot;
  }
}
