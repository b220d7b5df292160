// Memories in a room's state: what events do to them, and what the page reads from them. Pure, as
// state.js is.
import { fresher, withoutRow, withRow } from "./rows.js";

/** Each takes the room's state and an event's data, and gives the state afterwards. */
export const MEMORY_EVENTS = {
  memory_stored: (state, { memory }) => withMemory(state, memory, true),
  memory_updated: (state, { memory }) => withMemory(state, memory, true),
  memory_deleted: (state, { memory }) => withoutMemory(state, memory),
  memory_expired: (state, { memory }) => withoutMemory(state, memory),
  memory_relevance_changed: (state, { memory, importance, relevance }) =>
    changed(state, memory, { importance, ...(relevance === undefined ? {} : { relevance }) }),
  dependency_updated: (state, { memory, depends_on }) => changed(state, memory, { depends_on }),
};

/** `event`: it is an event's row, which on a tie is the newer one. */
export function withMemory(state, memory, event) {
  const merge = (held, row) => fresher(held, row, { event });
  return { ...state, memories: withRow(state.memories, memory, merge) };
}

export function withoutMemory(state, id) {
  return { ...state, memories: withoutRow(state.memories, id), late: lateNote(state.late, id, null) };
}

function changed(state, id, fields) {
  const held = state.memories.find((row) => row.id === id);
  if (held !== undefined) return withMemory(state, { ...held, ...fields }, true);
  const earlier = state.late.memories?.get(id);
  // Of one that is gone there is nothing to note; of one in a page on its way, only what changed.
  return earlier === null ? state : { ...state, late: lateNote(state.late, id, { ...earlier, ...fields }) };
}

function lateNote(late, id, row) {
  return late.memories === null ? late : { ...late, memories: new Map(late.memories).set(id, row) };
}

// ---- what the page reads ----

export const isProposed = (memory) => memory.status === "proposed";

/** What waits for a decision first, then what is pinned, then the newest. */
export function orderedMemories({ memories }) {
  const rank = (memory) => (isProposed(memory) ? 2 : Number(memory.pinned));
  return [...memories].sort((a, b) => rank(b) - rank(a) || b.id - a.id);
}

const SHOWN = {
  all: () => true,
  pinned: ({ pinned }) => pinned,
  expiring: ({ expires_at }) => expires_at !== null,
  proposed: isProposed,
};

/** Those of `memories` that `{show, kind, text}` lets through; "" lets everything through. */
export function filteredMemories(memories, { show = "all", kind = "", text = "" }) {
  const words = text.toLowerCase().split(/\s+/).filter((word) => word !== "");
  return memories.filter((memory) => {
    if (!SHOWN[show](memory) || (kind !== "" && memory.kind !== kind)) return false;
    const said = `${memory.title}\n${memory.body}\n${memory.reference ?? ""}`.toLowerCase();
    return words.every((word) => said.includes(word));
  });
}

/** More are not shown; a chain this long says enough. */
const MOST_NEAR = 30;

/**
 * A function of a memory's id: what it rests on, and what rests on it, directly or by others, as
 * `{restsOn: [{id, depth}], resting}`, nearest first, each once. Circles end where they begin. Of
 * memories that are not held only the id is known.
 */
export function neighbourhood(memories) {
  const below = new Map(memories.map((memory) => [memory.id, memory.depends_on]));
  const above = new Map();
  for (const { id, depends_on } of memories) {
    for (const key of depends_on) {
      if (above.has(key)) above.get(key).push(id);
      else above.set(key, [id]);
    }
  }
  return (id) => ({ restsOn: reached(id, below), resting: reached(id, above) });
}

function reached(start, edges) {
  const found = [];
  const seen = new Set([start]);
  for (let round = [start], depth = 1; round.length > 0; depth += 1) {
    const next = [...new Set(round.flatMap((id) => edges.get(id) ?? []))].filter((id) => !seen.has(id));
    for (const id of next) {
      if (found.length === MOST_NEAR) return found;
      seen.add(id);
      found.push({ id, depth });
    }
    round = next;
  }
  return found;
}
