// What the list of messages shows: a pure function of a room's state.
import { isGone } from "../insights.js";
import { mayDelete, mayEdit, mayWrite, receiptOf } from "../state.js";
import { dayKey } from "./times.js";

/** Messages of one person within this time stand under one heading. */
const GROUPED_MS = 5 * 60_000;

/**
 * Items in order: `{key, day}` for the line between two days, else `{key, message, state, what,
 * error, grouped, mine, quoted, menu, receipt, run, gone, mayAsk}`. Own messages are keyed by their
 * reference, so that the row of one on its way becomes the row of the settled one.
 */
export function timeline(state, me) {
  const rows = new Map(state.messages.map((message) => [message.id, message]));
  const entries = [
    ...state.messages.map((message) => settledItem(state, message, me, rows)),
    ...state.pending.map((entry) => pendingItem(entry, me)),
  ];
  const items = [];
  let before = null;
  for (const entry of entries) {
    const day = dayKey(entry.message.created_at);
    if (before === null || dayKey(before.created_at) !== day) {
      items.push({ key: `day-${day}`, day: entry.message.created_at });
      before = null;
    }
    const replied = entry.message.reply_to;
    const quoted = replied === null ? null : rows.get(replied) ?? unheld(replied);
    items.push({ ...entry, quoted, grouped: quoted === null && follows(before, entry.message) });
    before = entry.message;
  }
  return items;
}

function settledItem(state, message, me, rows) {
  const mine = message.author?.id === me.id;
  const change = state.changes[message.id];
  const saving = change?.kind === "edit" && change.state === "sending";
  const run = state.runs[message.id] ?? null;
  const growing = run?.state === "running" && !message.deleted;
  return {
    key: mine && message.client_ref !== null ? `ref-${message.client_ref}` : `id-${message.id}`,
    message: saving || growing ? edited(message, saving ? change.body : run.text) : message,
    run,
    gone: run === null ? "" : goneSources(state, run, rows),
    mayAsk: mayWrite(state),
    mine,
    state: change?.state ?? "settled",
    what: change?.kind ?? "new",
    error: change?.error ?? "",
    menu: !message.deleted && mayWrite(state),
    mayEdit: mayEdit(state, message),
    mayDelete: mayDelete(state, message),
    receipt: message.deleted ? "" : receiptText(receiptOf(state, message)),
  };
}

/** Marks between spaces: text, so that equal ones are the same. */
function goneSources(state, { sources }, rows) {
  const gone = sources.filter(({ kind, id }) => {
    if (kind === "memory") return isGone(state, id);
    return rows.get(id)?.deleted ?? !state.older.messages;
  });
  return ` ${gone.map(({ kind, id }) => `${kind}:${id}`).join(" ")} `;
}

function receiptText(receipt) {
  if (receipt === null || receipt.others === 0) return "";
  const { received, names } = receipt;
  if (received === 0) return "Not received yet";
  return [`Received by ${received}`, names.length > 0 && `Seen by ${names.join(", ")}`]
    .filter(Boolean)
    .join(" · ");
}

// The same objects for the same input: rows are only filled again when their item has changed.
const cache = new WeakMap();

function edited(message, body) {
  const held = cache.get(message);
  if (held?.body === body) return held;
  const made = { ...message, body };
  cache.set(message, made);
  return made;
}

function pendingItem(entry, me) {
  let message = cache.get(entry);
  if (message === undefined) {
    const { body, reply_to, created_at } = entry;
    const fields = { id: null, kind: "user", edited_at: null, deleted: false };
    message = { ...fields, author: me, body, reply_to, created_at };
    cache.set(entry, message);
  }
  const { state, error, client_ref } = entry;
  const none = { run: null, gone: "", mayAsk: false, menu: false, mayEdit: false, mayDelete: false, receipt: "" };
  return { key: `ref-${client_ref}`, message, mine: true, state, what: "new", error, client_ref, ...none };
}

const unheldRows = new Map();

/** A message that is answered but not held: only that it exists is known. */
function unheld(id) {
  if (!unheldRows.has(id)) unheldRows.set(id, { id, author: null, body: "", deleted: false });
  return unheldRows.get(id);
}

function follows(before, message) {
  return (
    before !== null &&
    before.kind === "user" && // what the system or the AI says stands by itself
    message.kind === "user" &&
    before.author?.id === message.author?.id &&
    Date.parse(message.created_at) - Date.parse(before.created_at) < GROUPED_MS
  );
}
