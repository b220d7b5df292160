// One notice, the same in a banner, in a toast and in the tray.
import { maintenanceWords } from "../countdown.js";
import { phaseOf, showingOf } from "../notices.js";
import { element, setText, showText } from "./dom.js";
import { sanitisedNodes } from "./markup.js";
import { clockTime, dayKey, dayName, fullTime } from "./times.js";

const LEVELS = { info: "Notice", success: "Good news", warning: "Warning", critical: "Critical" };

/** What is shown of a notice at `now`, as values that a KeyedList compares. */
export function shownNotice(notice, now, heeding) {
  const phase = phaseOf(notice, now);
  const showing = showingOf(notice, now);
  const { acknowledged, sending, error, away, read } = heeding.of(notice, showing);
  return {
    notice, showing, phase, acknowledged, sending, error, away, read,
    asks: notice.mustAcknowledge && !acknowledged,
    when: maintenanceWords(notice, phase, now),
  };
}

/** "Warning", "Maintenance". */
export const kindOf = ({ level, maintenance }) => (maintenance === null ? LEVELS[level] : "Maintenance");

/** `actions.acknowledge(shown)` and, where it can be put away, `actions.putAway(shown)`. */
export function createNotice({ notice }, { acknowledge, putAway = null }) {
  const row = element("li", { class: "notice", "data-key": notice.key, "data-level": notice.level });
  const run = (action) => () => action(row.shown);
  const yes = element("button", { type: "button", class: "notice-yes", on: { click: run(acknowledge) } });
  const close = putAway && element("button", {
    type: "button", class: "quiet notice-close", "aria-label": `Put away: ${notice.title}`, title: "Put away",
    text: "×", on: { click: run(putAway) },
  });
  const at = new Date(notice.publishedAt);
  const day = dayKey(at) === dayKey(new Date()) ? "" : `${dayName(at)}, `;
  row.append(
    element("div", { class: "notice-head" },
      element("span", { class: "notice-kind", text: kindOf(notice) }),
      element("strong", { class: "notice-title", text: notice.title })),
    element("p", { class: "notice-when" }),
    element("div", { class: "notice-body" }, ...sanitisedNodes(notice.html)),
    element("p", { class: "notice-about" }, `${fromWhom(notice)} · `,
      element("time", { datetime: at.toISOString(), title: fullTime(at), text: `${day}${clockTime(at)}` }),
      element("span", { class: "notice-done", text: " · acknowledged" })),
    element("div", { class: "notice-actions" }, yes,
      element("p", { class: "problem", role: "alert", hidden: true })),
  );
  if (close !== null) row.append(close);
  return row;
}

export function fillNotice(row, shown) {
  row.shown = shown;
  const { notice, phase, when, asks, acknowledged, sending, error, read } = shown;
  row.dataset.phase = phase ?? "";
  row.toggleAttribute("data-unread", !read);
  showText(row.querySelector(".notice-when"), when);
  row.querySelector(".notice-done").hidden = !(notice.mustAcknowledge && acknowledged);
  row.querySelector(".notice-actions").hidden = !asks;
  const yes = row.querySelector(".notice-yes");
  yes.setAttribute("aria-disabled", String(sending)); // not disabled: that would lose the focus
  yes.setAttribute("aria-label", `${error ? "Try again to acknowledge" : "Acknowledge"}: ${notice.title}`);
  setText(yes, sending ? "Acknowledging…" : error ? "Try again" : "Acknowledge");
  showText(row.querySelector(".problem"), error && `That could not be said to the server: ${error}`);
  const close = row.querySelector(".notice-close");
  if (close !== null) close.hidden = asks;
}

function fromWhom({ author, stream }) {
  const to = { system: "to everyone", user: "to you" }[stream.split(".")[0]] ?? "to this project";
  return author === null ? `Said ${to}` : `${author.name}, ${to}`;
}
