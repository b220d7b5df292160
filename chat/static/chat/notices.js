// Broadcasts as one reader has them: those that stand in a stream, from its snapshot and its events.
// Pure, as state.js is; what this tab did with them is in heeding.js.

/** Notices kept of a stream, as many as its snapshot has; the oldest go. */
export const KEPT_NOTICES = 20;
/** Banners at a time; the others wait in the tray, and in its count. */
export const SHOWN_BANNERS = 3;
/** The longest that nothing is looked at, and the steps of a countdown near its end. */
const LONGEST_MS = 60_000;
const SECOND_MS = 1_000;
/** Seconds are counted in the last minutes only. */
export const COUNTED_MS = 600_000;

/**
 * A notice is `{key, id, stream, seq, title, html, level, mustAcknowledge, author, publishedAt,
 * expiresAt, acknowledged, live, maintenance}`; moments are in ms since 1970, or null. `key` is unlike
 * any other's, also where a restored database gives an id again. `live`: it came as an event.
 * `maintenance` is null, or `{on, startsAt, endsAt}`.
 */
export function noticesFound(held, stream, broadcasts = []) {
  const live = new Set(held.filter((notice) => notice.live).map(({ key }) => key));
  return broadcasts
    .map((row) => noticeOf({ ...row, stream }))
    .filter((notice) => notice !== null)
    .map((notice) => ({ ...notice, live: live.has(notice.key) }))
    .slice(-KEPT_NOTICES);
}

/** The notices of a stream after an event; the very same for one that says nothing of them. */
export const withNotice = (held, frame) => FRAMES[frame.type]?.(held, frame) ?? held;

const FRAMES = {
  broadcast_message: (held, frame) => added(held, frame),
  system_notification: (held, frame) => {
    const { kind, broadcast } = frame.data;
    if (kind === "notice") return added(held, frame);
    if (kind !== "broadcast") return held;
    const matches = ({ id }) => id === broadcast;
    return acknowledgedIn(frame) === null ? without(held, matches) : acknowledged(held, matches);
  },
  // A newer one replaces the one before, also where the newer one has ended itself meanwhile.
  maintenance_mode: (held, frame) =>
    added(without(held, ({ maintenance, seq }) => maintenance !== null && seq < frame.seq), frame),
};

function added(held, frame) {
  const notice = noticeOf({ ...frame, acknowledged: false });
  if (notice === null || held.some(({ key }) => key === notice.key)) return held;
  return [...held, { ...notice, live: true }].slice(-KEPT_NOTICES);
}

function without(held, matches) {
  return held.some(matches) ? held.filter((notice) => !matches(notice)) : held;
}

function acknowledged(held, matches) {
  const news = (notice) => matches(notice) && !notice.acknowledged;
  return held.some(news) ? held.map((notice) => (news(notice) ? { ...notice, acknowledged: true } : notice)) : held;
}

/**
 * The id of the broadcast that this person has acknowledged somewhere, as their own stream tells; null
 * for any other frame. The notice may stand in another stream, or come after it.
 */
export function acknowledgedIn({ type, data }) {
  return type === "system_notification" && data.state === "acknowledged" ? data.broadcast : null;
}

/** Null for one that has ended: its texts are gone. */
function noticeOf({ type, stream, seq, data, acknowledged }) {
  const said = data.notice ?? data;
  if (said.broadcast === undefined || said.expired) return null;
  return {
    key: `${said.broadcast}@${said.published_at}`,
    id: said.broadcast,
    stream,
    seq,
    title: said.title,
    html: said.html,
    level: said.level,
    mustAcknowledge: said.must_acknowledge,
    author: said.author,
    publishedAt: moment(said.published_at),
    expiresAt: moment(said.expires_at),
    acknowledged,
    maintenance: type === "maintenance_mode"
      ? { on: data.on, startsAt: moment(data.starts_at), endsAt: moment(data.ends_at) }
      : null,
  };
}

const moment = (text) => (text ? Date.parse(text) : null);

// ---- what the page reads from it ----

/** Those that stand at `now`, newest first. */
export function standing(notices, now) {
  return notices
    .filter(({ expiresAt }) => expiresAt === null || expiresAt > now)
    .sort((a, b) => b.publishedAt - a.publishedAt || b.id - a.id);
}

/** Where maintenance is: "before", "during", "overdue" (its end was announced for earlier), or null. */
export function phaseOf({ maintenance }, now) {
  if (maintenance === null || !maintenance.on) return null;
  if (maintenance.startsAt !== null && maintenance.startsAt > now) return "before";
  return maintenance.endsAt !== null && maintenance.endsAt <= now ? "overdue" : "during";
}

/** What is put away is the notice in this phase: maintenance that begins is shown again. */
export function showingOf(notice, now) {
  const phase = phaseOf(notice, now);
  return phase === null ? notice.key : `${notice.key}:${phase}`;
}

/**
 * `{banners, more, toasts}` of the standing `notices`: banners stay until they are put away, or
 * acknowledged where that is asked for; toasts go by themselves, and come only of what is said while
 * one is here. `heeded(notice)` tells what this person did: `{acknowledged, away}`. `more` counts
 * banners for which there is no room.
 */
export function arranged(notices, now, heeded) {
  const banners = [];
  const toasts = [];
  for (const notice of notices) {
    const { acknowledged, away } = heeded(notice);
    const asks = notice.mustAcknowledge && !acknowledged;
    const lasting = phaseOf(notice, now) !== null || notice.level === "critical" || notice.level === "warning";
    if (asks || (lasting && !away)) banners.push({ notice, asks });
    else if (notice.live && !lasting && !away) toasts.push(notice);
  }
  banners.sort((a, b) => rank(b) - rank(a)); // stable: the newest first among equals
  return { banners: banners.slice(0, SHOWN_BANNERS), more: Math.max(0, banners.length - SHOWN_BANNERS), toasts };
}

const rank = ({ notice, asks }) =>
  (notice.level === "critical" ? 4 : 0) + (asks ? 2 : 0) + (notice.maintenance === null ? 0 : 1);

/** In how many ms something else is to be shown, at most a minute. */
export function changesIn(notices, now) {
  let least = LONGEST_MS;
  for (const { expiresAt, maintenance } of notices) {
    for (const at of [expiresAt, maintenance?.startsAt, maintenance?.endsAt]) {
      if (at > now) least = Math.min(least, at - now);
    }
    const startsIn = (maintenance?.startsAt ?? now) - now;
    if (startsIn > 0 && startsIn <= COUNTED_MS) least = Math.min(least, startsIn % SECOND_MS || SECOND_MS);
  }
  return least;
}
