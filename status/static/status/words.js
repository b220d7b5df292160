// Numbers, states and spans as people read them. Pure.

export const STATES = ["ok", "degraded", "down"]; // by level

export const STATE_WORDS = {
  ok: "ok",
  degraded: "degraded",
  down: "down",
  unknown: "not known",
};

const BYTES = ["B", "KB", "MB", "GB", "TB", "PB"];

function short(value) {
  const size = Math.abs(value);
  if (size === 0) return "0";
  if (size >= 10_000) return `${trimmed(value / 1000, size >= 100_000 ? 0 : 1)}k`;
  if (size >= 100) return value.toFixed(0);
  if (size >= 10) return trimmed(value, 1);
  return trimmed(value, size >= 0.1 ? 2 : 3);
}

const trimmed = (value, digits) => String(Number(value.toFixed(digits)));

/** `{value, unit}` as texts; a measure that is not known is a dash. */
export function figure(value, unit) {
  if (!Number.isFinite(value)) return { value: "–", unit: "" };
  if (unit === "bytes") return bytes(value);
  if (unit === "ms" && Math.abs(value) >= 10_000) return { value: short(value / 1000), unit: "s" };
  if (unit === "percent") return { value: short(value), unit: "%" };
  if (unit === "per_s") return { value: short(value), unit: "/s" };
  return { value: short(value), unit };
}

export function written(value, unit) {
  const { value: text, unit: sign } = figure(value, unit);
  return sign === "" ? text : `${text} ${sign}`;
}

function bytes(value) {
  let step = 0;
  let left = value;
  while (Math.abs(left) >= 1000 && step < BYTES.length - 1) {
    left /= 1000;
    step += 1;
  }
  return { value: short(left), unit: BYTES[step] };
}

/** "45 s", "12 min", "3 h 5 min", "4 d 2 h". */
export function span(ms) {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return joined(hours, "h", minutes % 60, "min");
  return joined(Math.floor(hours / 24), "d", hours % 24, "h");
}

const joined = (big, bigName, small, smallName) =>
  small === 0 ? `${big} ${bigName}` : `${big} ${bigName} ${small} ${smallName}`;

/** What the state of the whole comes down to: a headline and what it rests on. */
export function summary(state, parts) {
  if (state === "unknown" && parts.length === 0) {
    return { head: "Not known", detail: "Nothing has been looked at: the monitor is off, or begins." };
  }
  const troubled = parts.filter((part) => part.state === "down" || part.state === "degraded");
  const head = { ok: "All parts work", degraded: "Degraded", down: "Down" }[state] ?? "Not known";
  if (troubled.length === 0) return { head, detail: `${parts.length} parts are looked at.` };
  const detail = troubled.map((part) => `${part.label}: ${part.text || STATE_WORDS[part.state]}`);
  return { head, detail: `${detail.join(". ")}.` };
}
