// What a close code asks of the client (protocol section 6), as one table.

const NAMES = new Map([
  [1000, "normal"],
  [1001, "going_away"],
  [1006, "connection_lost"],
  [1007, "invalid_utf8"],
  [1009, "too_large"],
  [1011, "keepalive_timeout"],
  [1012, "server_restart"],
  [4400, "bad_request"],
  [4401, "unauthorized"],
  [4403, "forbidden"],
  [4409, "revoked"],
  [4500, "internal"],
  [4503, "overloaded"],
  [4508, "slow_consumer"],
  [4529, "rate_limited"],
]);

const OWN_FAULT = new Set([1007, 1009]);

/**
 * The verdict on a close: "end" (1000: the server is done with us), "stop" (44xx, 1007, 1009: the
 * same attempt would fail again) or "retry" (all else).
 */
export function verdictOf(code) {
  if (code === 1000) return "end";
  if (OWN_FAULT.has(code) || (code >= 4400 && code < 4500)) return "stop";
  return "retry";
}

/** The name of a close code, for people and for code that branches on it. */
export function nameOf(code) {
  return NAMES.get(code) ?? (code >= 4400 && code < 4500 ? "refused" : "closed");
}

/** `retry_after_ms` of a close reason (JSON, or anywhere in its text) in ms, or null. */
export function retryAfterOf(text) {
  // One pattern reads both: a reason holds at most 123 bytes, and a proxy may cut its JSON short.
  const found = /retry_after_ms"?\s*[:=]\s*"?(\d+)/.exec(text ?? "");
  return found === null ? null : Number(found[1]);
}
