// How far a moment is, and when maintenance is, in words.
import { COUNTED_MS } from "./notices.js";
import { clockTime, dayKey, dayName } from "./view/times.js";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** "2 days", "3 h 20 min", "12 min", "4 min 10 s", "9 s"; rounded up, so that it ends with the wait. */
export function remaining(ms) {
  if (ms > 2 * DAY_MS) return `${Math.round(ms / DAY_MS)} days`;
  if (ms <= COUNTED_MS) return parts(Math.ceil(ms / 1_000), "min", "s");
  const minutes = Math.ceil(ms / MINUTE_MS);
  return parts(minutes, "h", "min");
}

/** Of a number of sixtieths. */
function parts(count, large, small) {
  const whole = Math.floor(count / 60);
  const rest = count % 60;
  const told = [whole > 0 && `${whole} ${large}`, (rest > 0 || whole === 0) && `${rest} ${small}`];
  return told.filter(Boolean).join(" ");
}

/** "14:00", or with the day where that is another one. */
export function momentName(ms, now) {
  const at = new Date(ms);
  return dayKey(at) === dayKey(new Date(now)) ? clockTime(at) : `${dayName(at, new Date(now))}, ${clockTime(at)}`;
}

/** What to say of maintenance in that phase (`phaseOf`); "" without one. */
export function maintenanceWords({ maintenance }, phase, now) {
  return phase === null ? "" : PHASES[phase](maintenance, now);
}

const PHASES = {
  before: ({ startsAt, endsAt }, now) =>
    `Begins in ${remaining(startsAt - now)}, at ${momentName(startsAt, now)}${until(endsAt, now)}`,
  during: ({ endsAt }, now) => `Under way${until(endsAt, now)}`,
  overdue: ({ endsAt }, now) => `Under way; it was to end at ${momentName(endsAt, now)}`,
};

const until = (ms, now) => (ms === null ? "" : `, until ${momentName(ms, now)}`);
