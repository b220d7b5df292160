// Rows of the wire (messages, memories) held in lists that ascend by id, which within one project is
// also the order of their events.

/**
 * The fresher of two versions of a row. Replies and pages of the REST API come in either order with
 * events, so versions are compared; what is deleted stays deleted. On a tie `incoming` wins only
 * when it is an event, because events of a stream are in order.
 */
export function fresher(held, incoming, { event }) {
  if (held.deleted !== incoming.deleted) return held.deleted ? held : incoming;
  const [before, after] = [versionOf(held), versionOf(incoming)];
  if (before === after) return event ? incoming : held;
  return after > before ? incoming : held;
}

/** The wire's times are all UTC with milliseconds, so text compares as time does. */
const versionOf = (row) => row.updated_at ?? row.edited_at ?? "";

export const indexById = (rows, id) => rows.findIndex((row) => row.id === id);

// By slices: `with` and `toSpliced` need browsers of 2023 and Node 20.

/** `rows` with the one at `at` replaced. */
export const replaced = (rows, at, row) => [...rows.slice(0, at), row, ...rows.slice(at + 1)];

/** `rows` with `row` put in its place; `merge(held, row)` decides when the id is held already. */
export function withRow(rows, row, merge) {
  const at = indexById(rows, row.id);
  if (at >= 0) return replaced(rows, at, merge(rows[at], row));
  const after = rows.findLastIndex((other) => other.id < row.id);
  return [...rows.slice(0, after + 1), row, ...rows.slice(after + 1)];
}

export const withoutRow = (rows, id) => rows.filter((row) => row.id !== id);
