// What the context engine said of the messages: like what they are, and what became doubtful. Pure, as
// state.js is. The snapshot has nothing of it; a fresh page reads it from the newest events.

/** Messages whose findings are kept. */
const KEPT = 100;
/** The message spoken about: the newest with findings among so many. */
const LOOKED_BACK = 10;
/** Memories that are known to be in doubt. */
const DOUBTS = 500;

/**
 * `findings`: by message id, `{issues, memories, resting, mode}`. `doubts`: by memory id, `{because,
 * at}`: what it rests on changed or went then, and nobody has looked at it since.
 */
export const noInsights = () => ({ findings: {}, doubts: {} });

const FRAMES = {
  similar_issues_found: (held, { message, issues }) => found(held, message, { issues }),
  context_analysis_complete: (held, { message, memories, dependencies, mode }) =>
    found(held, message, { memories, resting: dependencies, mode }),
  message_deleted: (held, { message }) => ({ ...held, findings: without(held.findings, message) }),
  dependency_updated: (held, { memory, because }, ts) => {
    if (because === null || because === undefined) return held;
    const doubts = { ...held.doubts, [memory]: { because, at: ts } };
    return { ...held, doubts: newest(doubts, DOUBTS) };
  },
  memory_deleted: (held, { memory }) => ({ ...held, doubts: without(held.doubts, memory) }),
  memory_expired: (held, { memory }) => ({ ...held, doubts: without(held.doubts, memory) }),
};

/** The insights after a frame; the very same for one that says nothing of the kind. */
export const withInsight = (held, { type, data, ts }) => FRAMES[type]?.(held, data, ts) ?? held;

/** Those of earlier events, and what is held beside them, which is newer. */
export function recalled(held, events) {
  const { findings, doubts } = events.reduce(withInsight, noInsights());
  return {
    findings: newest({ ...findings, ...held.findings }, KEPT),
    doubts: newest({ ...doubts, ...held.doubts }, DOUBTS),
  };
}

function found(held, message, part) {
  const before = held.findings[message] ?? { issues: [], memories: [], resting: [], mode: null };
  return { ...held, findings: newest({ ...held.findings, [message]: { ...before, ...part } }, KEPT) };
}

/** So many of `entries`, those of the newest rows. */
function newest(entries, most) {
  const ids = Object.keys(entries);
  if (ids.length <= most) return entries;
  const kept = ids.sort((a, b) => a - b).slice(-most);
  return Object.fromEntries(kept.map((id) => [id, entries[id]]));
}

function without(entries, key) {
  if (!Object.hasOwn(entries, key)) return entries;
  const { [key]: _, ...rest } = entries;
  return rest;
}

// ---- what the page reads ----

/** The id of what `memory` rests on that changed since it was last written, or null. */
export function doubtOf({ insights }, memory) {
  const doubt = insights.doubts[memory.id];
  return doubt === undefined || memory.updated_at > doubt.at ? null : doubt.because;
}

/**
 * What stands beside the message `chosen` (an id), or beside the one that is spoken about (null):
 * `{message, chosen, known, issues, memories, resting, proposals}`; null where there is nothing to say.
 * An answer has what its question has.
 */
export function related(state, chosen) {
  if (chosen !== null) {
    const held = state.messages.find(({ id }) => id === chosen);
    if (held === undefined || held.deleted) return null;
    const asked = held.kind === "ai" ? held.reply_to : held.id;
    return { message: held.id, chosen: true, ...beside(state, asked) };
  }
  const people = state.messages.filter(({ kind, deleted }) => kind === "user" && !deleted);
  for (const { id } of people.slice(-LOOKED_BACK).reverse()) {
    const all = beside(state, id);
    if (all.issues.length + all.memories.length + all.proposals.length > 0) {
      return { message: id, chosen: false, ...all };
    }
  }
  return null;
}

function beside(state, message) {
  const held = state.insights.findings[message];
  const { issues, memories, resting } = held ?? { issues: [], memories: [], resting: [] };
  const gone = ({ memory }) => isGone(state, memory);
  const similar = issues.filter((one) => !gone(one));
  const shown = new Set(similar.map(({ memory }) => memory));
  const ofMessage = ({ status, source }) => status === "proposed" && source?.message === message;
  return {
    known: held !== undefined,
    issues: similar,
    memories: memories.filter((one) => !shown.has(one.memory) && !gone(one)),
    resting: resting.filter((id) => !isGone(state, id)),
    proposals: state.memories.filter(ofMessage).map(({ id, kind, title }) => ({ memory: id, kind, title })),
  };
}

/** Certainly: the page has all memories, and not this one. */
export const isGone = (state, memory) =>
  !state.older.memories && !state.memories.some(({ id }) => id === memory);
