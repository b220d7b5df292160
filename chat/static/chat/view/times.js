// Times as people of this browser's language write them.

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const full = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "medium" });
const day = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long" });
const dayOfYear = new Intl.DateTimeFormat(undefined, { dateStyle: "long" });
const relative = new Intl.RelativeTimeFormat(undefined, { numeric: "auto" });

const DAY_MS = 86_400_000;

export const clockTime = (iso) => clock.format(new Date(iso));

/** Without "AM" or its like, for a narrow margin; the whole time is in the title. */
export function bareTime(iso) {
  const parts = clock.formatToParts(new Date(iso)).filter(({ type }) => type !== "dayPeriod");
  return parts.map(({ value }) => value).join("").trim();
}

export const fullTime = (iso) => full.format(new Date(iso));

/** A key of the local day. */
export function dayKey(iso) {
  const date = new Date(iso);
  return `${date.getFullYear()}-${date.getMonth() + 1}-${date.getDate()}`;
}

/** "today", "yesterday", "Monday 3 March", "3 March 2025". */
export function dayName(iso, now = new Date()) {
  const date = new Date(iso);
  const days = Math.round((midnight(date) - midnight(now)) / DAY_MS);
  if (days === 0 || days === -1) return capital(relative.format(days, "day"));
  return date.getFullYear() === now.getFullYear() ? day.format(date) : dayOfYear.format(date);
}

/** "today at 14:00", "tomorrow", "in 5 days", "on 3 March 2027"; "now" for what is past. */
export function dueName(iso, now = new Date()) {
  const date = new Date(iso);
  if (date <= now) return "now";
  const days = Math.round((midnight(date) - midnight(now)) / DAY_MS);
  if (days === 0) return `${relative.format(0, "day")} at ${clockTime(iso)}`;
  return days <= 30 ? relative.format(days, "day") : `on ${dayOfYear.format(date)}`;
}

const midnight = (date) => new Date(date.getFullYear(), date.getMonth(), date.getDate());
const capital = (text) => text.charAt(0).toLocaleUpperCase() + text.slice(1);
