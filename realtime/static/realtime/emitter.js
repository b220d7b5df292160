// Handlers of other people's code: called so that their exceptions never reach the socket.

/** Call `handler`; what it throws, or what its promise rejects with, goes to `report`. */
export function callSafely(handler, values, report) {
  if (typeof handler !== "function") return;
  try {
    const result = handler(...values);
    if (typeof result?.then === "function") result.then(undefined, report);
  } catch (error) {
    report(error);
  }
}

export class Emitter {
  #handlers = new Map();

  constructor(names) {
    for (const name of names) this.#handlers.set(name, new Set());
    this.report = (error) => this.#report(error);
  }

  /** Add a handler; returns the function that removes it. */
  on(name, handler) {
    const handlers = this.#handlers.get(name);
    if (handlers === undefined) {
      const known = [...this.#handlers.keys()].join(", ");
      throw new TypeError(`expected an event out of ${known}, got ${String(name)}`);
    }
    if (typeof handler !== "function") {
      throw new TypeError(`expected a function for "${name}", got ${typeof handler}`);
    }
    handlers.add(handler);
    return () => handlers.delete(handler);
  }

  emit(name, value) {
    for (const handler of [...this.#handlers.get(name)]) callSafely(handler, [value], this.report);
  }

  #report(error) {
    const handlers = [...this.#handlers.get("error")];
    // Without a listener an error must still be seen somewhere.
    if (handlers.length === 0) console.error(error);
    // A failing error handler is the end of the road: reporting it to itself would recurse.
    const lastResort = (second) => console.error(second);
    for (const handler of handlers) callSafely(handler, [error], lastResort);
  }
}
