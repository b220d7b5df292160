// The state of one room: a pure function of what the server said and what this person did. No DOM,
// no clock, no network, so that it runs and is tested anywhere.
import { linesFound, withLine } from "./feed.js";
import { noInsights, recalled, withInsight } from "./insights.js";
import { MEMORY_EVENTS, withMemory, withoutMemory } from "./memories.js";
import { noticesFound, withNotice } from "./notices.js";
import { fresher, indexById, replaced, withRow } from "./rows.js";
import { RUN_FRAMES, runsFound, runTold } from "./runs.js";

/** How long a typist is shown without being heard of again. */
export const TYPING_MS = 6_000;
/** Rows kept in view of someone who reads the newest; older ones come back from the server. */
export const KEPT_MESSAGES = 500;
/** A snapshot as long as this may not be all there is. */
const SNAPSHOT_ROWS = 50;

/**
 * `phase`: loading, open, or ended (then `ending` says why, in words).
 * `pending`: own messages without a row yet, by client_ref; `changes`: own edits and deletions under
 * way, by message id; both are `{..., state: "sending"|"failed", error}`.
 * `older`: whether the server has rows before those held. `late`: what events said of rows that are
 * not held while a page of older ones is being fetched, else null; without it a page read before
 * an event would bring back what the event changed.
 * `presence`: states of people by id, null while the server does not know who is here. `receipts`:
 * by message id, `{received, read}` as ids of people. `runs`: of the AI, by the message that answers.
 * `summary`: the project in a few lines. `insights`: see insights.js. `feed`: see feed.js.
 * `notices`: see notices.js.
 */
export function emptyRoom(me) {
  return {
    me,
    phase: "loading",
    ending: "",
    project: null,
    role: null,
    people: [],
    messages: [],
    memories: [],
    reads: {},
    pending: [],
    changes: {},
    typing: {},
    presence: null,
    receipts: {},
    runs: {},
    summary: "",
    insights: noInsights(),
    feed: [],
    notices: [],
    older: { messages: false, memories: false },
    late: { messages: null, memories: null },
  };
}

/** The state after `action`: one of ACTIONS by its `type`; unknown ones change nothing. */
export function reduce(state, action) {
  return ACTIONS[action.type]?.(state, action) ?? state;
}

const ACTIONS = {
  snapshot: (state, { snapshot, runs: underWay }) => {
    const { project, role, people, messages, memories, reads, summary = "" } = snapshot;
    const { changes, presence, receipts, insights } = state;
    const feed = linesFound(state.feed, snapshot.answers);
    const notices = noticesFound(state.notices, `project.${project.id}`, snapshot.broadcasts);
    const kept = { ...emptyRoom(state.me), changes, presence, receipts, insights, feed, notices };
    const pending = messages.reduce((left, row) => settled(left, row, state.me), state.pending);
    const older = {
      messages: messages.length >= SNAPSHOT_ROWS,
      memories: memories.length >= SNAPSHOT_ROWS,
    };
    const runs = runsFound(snapshot.answers, underWay);
    const room = { project, role, people, messages, memories, reads, pending, older, runs, summary };
    return { ...kept, ...room, phase: "open" };
  },
  event: (state, { frame }) => {
    const held = told(state, frame);
    return EVENTS[frame.type]?.(held, frame.data, frame) ?? held;
  },
  signal: (state, { frame, now }) =>
    SIGNALS[frame.type]?.(state, frame.data, now) ?? told(state, frame),
  recalled: (state, { events }) => ({ ...state, insights: recalled(state.insights, events) }),
  run: (state, { run }) => ({ ...state, runs: runTold(state.runs, run) }),
  ended: (state, { ending }) => ({ ...state, phase: "ended", ending, typing: {} }),
  presence: (state, { users }) => {
    const presence = users && Object.fromEntries(users.map(({ user, state: how }) => [user.id, how]));
    return { ...state, presence };
  },
  receipts: (state, { message, received, read }) => ({
    ...state,
    receipts: { ...state.receipts, [message]: { received, read } },
  }),
  expire: (state, { now }) => {
    const left = Object.entries(state.typing).filter(([, typist]) => typist.until > now);
    if (left.length === Object.keys(state.typing).length) return state;
    return { ...state, typing: Object.fromEntries(left) };
  },

  sending: (state, { type: _, ...entry }) => {
    const row = { ...entry, state: "sending", error: "" };
    const at = state.pending.findIndex((other) => other.client_ref === entry.client_ref);
    const pending = at >= 0 ? replaced(state.pending, at, row) : [...state.pending, row];
    return { ...state, pending };
  },
  sent: (state, { message, seq }) => {
    const row = { ...message, seq };
    return withMessage({ ...state, pending: settled(state.pending, row, state.me) }, row, false);
  },
  failed: (state, { client_ref, error }) => ({
    ...state,
    pending: state.pending.map((entry) =>
      entry.client_ref === client_ref ? { ...entry, state: "failed", error } : entry,
    ),
  }),
  discard: (state, { client_ref }) => ({
    ...state,
    pending: state.pending.filter((entry) => entry.client_ref !== client_ref),
  }),

  changing: (state, { message, change }) => ({
    ...state,
    changes: { ...state.changes, [message]: { ...change, state: "sending", error: "" } },
  }),
  changed: (state, { message }) => {
    return withMessage({ ...state, changes: without(state.changes, message.id) }, message, false);
  },
  unchanged: (state, { message, error }) => {
    const change = state.changes[message];
    if (change === undefined) return state;
    const failed = { ...change, state: "failed", error };
    return { ...state, changes: { ...state.changes, [message]: failed } };
  },
  forget: (state, { message }) => ({ ...state, changes: without(state.changes, message) }),

  stored: (state, { memory }) => withMemory(state, memory, false),
  unstored: (state, { memory }) => withoutMemory(state, memory),
  fetching: (state, { list }) => ({ ...state, late: { ...state.late, [list]: new Map() } }),
  fetched: (state, { list, rows, more }) => {
    const late = state.late[list];
    if (late === null) return state; // a snapshot replaced the list meanwhile
    const merged = rows.reduce((held, row) => {
      const news = late.has(row.id) ? late.get(row.id) : row;
      if (news === null) return held;
      const page = fresher(row, { ...row, ...news }, { event: true });
      return withRow(held, page, (a, b) => fresher(a, b, { event: false }));
    }, state[list]);
    return {
      ...state,
      [list]: merged,
      older: { ...state.older, [list]: more },
      late: { ...state.late, [list]: null },
    };
  },
  unfetched: (state, { list }) => ({ ...state, late: { ...state.late, [list]: null } }),
  trim: (state) => {
    if (state.messages.length <= KEPT_MESSAGES || state.late.messages !== null) return state;
    const messages = state.messages.slice(-KEPT_MESSAGES);
    return { ...state, messages, older: { ...state.older, messages: true } };
  },
};

const EVENTS = {
  new_message: (state, { message }, { seq }) => {
    const pending = settled(state.pending, message, state.me);
    const typing = without(state.typing, message.author?.id);
    return withMessage({ ...state, pending, typing }, { ...message, seq }, true);
  },
  message_updated: (state, { message }) => withMessage(state, message, true),
  ai_response_generated: (state, { message }) => withMessage(state, message, true),
  message_deleted: (state, { message }) => {
    const held = state.messages.find((row) => row.id === message);
    const changes = without(state.changes, message);
    if (held !== undefined) {
      return withMessage({ ...state, changes }, { ...held, body: "", deleted: true }, true);
    }
    const late = noted(state.late.messages, message, { id: message, body: "", deleted: true });
    return { ...state, changes, late: { ...state.late, messages: late } };
  },
  message_read: (state, { reads }) => ({ ...state, reads: { ...state.reads, ...reads } }),

  ...MEMORY_EVENTS,
  context_summary_updated: (state, { summary }) => ({ ...state, summary }),

  project_updated: (state, { project }) => ({ ...state, project }),
  project_joined: (state, { member }) => {
    const at = state.people.findIndex((other) => other.user.id === member.user.id);
    const people = at >= 0 ? replaced(state.people, at, member) : [...state.people, member];
    const role = member.user.id === state.me ? member.role : state.role;
    return { ...state, people, role };
  },
  project_left: (state, { user }) => ({
    ...state,
    people: state.people.filter((member) => member.user.id !== user.id),
    typing: without(state.typing, user.id),
  }),
};

const SIGNALS = {
  // The whole list each time; the starts and stops of single people are for other clients.
  user_typing: (state, { users }, now) => {
    const others = users.filter(({ id }) => id !== state.me);
    const until = now + TYPING_MS;
    return { ...state, typing: Object.fromEntries(others.map((user) => [user.id, { user, until }])) };
  },
};

/** What the AI and the context engine say of their work, and people of everything. */
function told(state, frame) {
  const runs = RUN_FRAMES[frame.type]?.(state.runs, frame.data) ?? state.runs;
  const insights = withInsight(state.insights, frame);
  const feed = withLine(state.feed, frame, state);
  const notices = withNotice(state.notices, frame);
  const found = { runs, insights, feed, notices };
  return Object.keys(found).every((name) => found[name] === state[name]) ? state : { ...state, ...found };
}

function withMessage(state, message, event) {
  const [first] = state.messages;
  const unheld = indexById(state.messages, message.id) < 0;
  if (unheld && state.older.messages && first !== undefined && message.id < first.id) {
    // Before what is held: it will come with its page.
    const late = noted(state.late.messages, message.id, message);
    return { ...state, late: { ...state.late, messages: late } };
  }
  const merge = (held, row) => ({ ...fresher(held, row, { event }), seq: held.seq ?? row.seq });
  return { ...state, messages: withRow(state.messages, message, merge) };
}

/** What was sent under `message`'s reference has arrived. */
function settled(pending, message, me) {
  if (message.client_ref === null || message.author?.id !== me) return pending;
  return pending.filter((entry) => entry.client_ref !== message.client_ref);
}

function noted(late, id, row) {
  return late === null ? null : new Map(late).set(id, row);
}

function without(entries, key) {
  if (!Object.hasOwn(entries, key)) return entries;
  const { [key]: _, ...rest } = entries;
  return rest;
}

// ---- what the page reads from it ----

export const mayWrite = (state) => state.role === "owner" || state.role === "member";
export const mayEdit = (state, message) => mayWrite(state) && message.author?.id === state.me;
export const mayDelete = (state, message) =>
  mayEdit(state, message) || (state.role === "owner" && message.kind !== "system");

/** Names of those who type now, in the order in which they began. */
export const typists = (state) => Object.values(state.typing).map(({ user }) => user.name);

/** The seq of the newest message by somebody else that came live, or 0. */
export function newestHeard(state) {
  const row = state.messages.findLast((m) => m.seq !== undefined && m.author?.id !== state.me);
  return row?.seq ?? 0;
}

/** This person's newest message, or null. */
export function newestOwn(state) {
  return state.messages.findLast((row) => row.author?.id === state.me && !row.deleted) ?? null;
}

/** How others are, in a word; "" while nobody knows. */
export const stateOf = (state, user) =>
  state.presence === null ? "" : state.presence[user] ?? "offline";

/**
 * `{received, names}`: how many have a message and who has read it; null for messages that were
 * not asked about. Readings of a message whose seq is known come live.
 */
export function receiptOf(state, message) {
  const told = state.receipts[message.id];
  const live = message.seq !== undefined && message.id === newestOwn(state)?.id;
  if (told === undefined && !live) return null;
  const others = state.people.map(({ user }) => user).filter(({ id }) => id !== message.author?.id);
  const hasRead = ({ id }) =>
    told?.read.includes(id) || (live && (state.reads[id] ?? 0) >= message.seq);
  const readers = others.filter(hasRead);
  const received = others.filter((user) => hasRead(user) || told?.received.includes(user.id));
  return { received: received.length, others: others.length, names: readers.map(({ name }) => name) };
}
