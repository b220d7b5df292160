// Rows and frames as the server writes them, for the tests of the page's state.

export const ADA = { id: 1, name: "Ada" };
export const GRACE = { id: 2, name: "Grace" };
const AT = "2026-01-01T12:00:00.000Z";

export function message(id, fields = {}) {
  return {
    id,
    project: 1,
    session: 1,
    kind: "user",
    author: GRACE,
    body: `message ${id}`,
    client_ref: `ref-${id}`,
    reply_to: null,
    created_at: AT,
    edited_at: null,
    deleted: false,
    ...fields,
  };
}

export function memory(id, fields = {}) {
  return {
    id,
    project: 1,
    kind: "note",
    title: `memory ${id}`,
    body: "",
    importance: 0.5,
    pinned: false,
    reference: null,
    depends_on: [],
    expires_at: null,
    created_at: AT,
    updated_at: AT,
    ...fields,
  };
}

export const member = (user, role = "member") => ({ user, role, joined_at: AT });

export function snapshot(fields = {}) {
  return {
    project: { id: 1, name: "Apollo", description: "", created_at: AT },
    role: "owner",
    people: [member(ADA, "owner"), member(GRACE)],
    messages: [],
    reads: {},
    memories: [],
    ...fields,
  };
}

let seq = 100;

/** An event's frame; seqs ascend. */
export function event(type, data) {
  seq += 1;
  return { type, stream: "project.1", seq, id: `event-${seq}`, ts: AT, data };
}

export const many = (count, make, from = 1) => Array.from({ length: count }, (_, at) => make(from + at));
