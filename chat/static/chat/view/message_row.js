// One message in the list, settled or on its way.
import { avatar } from "./avatar.js";
import { citation } from "./citing.js";
import { element } from "./dom.js";
import { prose } from "./prose.js";
import { onlyGrown, runFoot, updateFoot } from "./run_foot.js";
import { bareTime, clockTime, fullTime } from "./times.js";

/** Longer ones are folded, so that one log file does not bury a conversation. */
const FOLDED_CHARS = 1_000;
const FOLDED_LINES = 14;

/** The parts of a row are made once; `fillRow` sets what they show. */
export function createRow() {
  return element("li", { class: "message" });
}

/**
 * Fill `row` with `item` (see timeline.js); `actions` are `openMenu(button, item)`, `retry(item)`,
 * `giveUp(item)`, `goTo(id)`, `stopRun(run)` and `runAgain(run)`.
 */
export function fillRow(row, item, actions) {
  const { message, grouped, mine } = item;
  if (grow(row, item)) return;
  row.dataset.key = item.key;
  row.dataset.state = item.state;
  row.dataset.message = message.id ?? "";
  row.dataset.kind = message.kind;
  row.classList.toggle("grouped", grouped);
  row.classList.toggle("mine", mine);
  row.classList.toggle("deleted", message.deleted);
  const focused = row.contains(document.activeElement);
  const unfolded = row.querySelector(".body.unfolded") !== null;
  const parts = [
    grouped ? null : head(message),
    item.quoted && quote(item, actions),
    body(item, unfolded),
    note(item, actions),
    runFoot(item, actions),
    item.receipt && element("p", { class: "seen", text: item.receipt }),
  ];
  const content = element("div", { class: "content" }, ...parts.filter(Boolean));
  const side = grouped ? time(message, bareTime) : avatar(message.author, authorName(message));
  // An open menu stays: a receipt that arrives must not take it from under the finger.
  const menu = row.querySelector(".menu");
  const kept = menu === null ? [] : [menu.previousElementSibling, menu];
  const active = document.activeElement;
  row.replaceChildren(side, content, ...(item.menu ? (menu ? kept : [menuButton(item, actions)]) : []));
  if (menu !== null && row.contains(active)) active.focus({ preventScroll: true });
  else if (focused) row.querySelector(".more")?.focus({ preventScroll: true });
}

const shownRuns = new WeakMap();

/** An answer that has only grown: its stop button must stay under the finger. */
function grow(row, { run, message, state }) {
  const before = shownRuns.get(row);
  shownRuns.set(row, run);
  const text = row.querySelector(".body");
  if (!onlyGrown(before, run) || text === null || message.deleted || state !== "settled") return false;
  text.replaceChildren(...prose(message.body, citation));
  updateFoot(row, run);
  return true;
}

const KINDS = { user: "Somebody", ai: "AI", system: "System" };

const authorName = ({ author, kind }) => author?.name ?? KINDS[kind];

function head(message) {
  const { author, kind } = message;
  const name = element("span", { class: "author", text: authorName(message) });
  const said = author !== null && kind !== "user" ? KINDS[kind] : null;
  const chip = said && element("span", { class: "chip", text: said });
  return element("div", { class: "head" }, name, chip, time(message));
}

function time({ created_at }, format = clockTime) {
  const attributes = { class: "time", datetime: created_at, title: fullTime(created_at) };
  return element("time", { ...attributes, text: format(created_at) });
}

function quote({ quoted }, actions) {
  const name = quoted.author?.name ?? "";
  const text = quoted.deleted ? "message deleted" : quoted.body || "an earlier message";
  const go = () => actions.goTo(quoted.id);
  return element(
    "button",
    { type: "button", class: "quote", on: { click: go } },
    element("span", { class: "hidden", text: "In reply to " }),
    element("span", { class: "author", text: name }),
    ` ${text.slice(0, 140)}`,
  );
}

/** Of an answer's marks only those are sources that the project had. */
function citedBy({ message, run }) {
  if (message.kind !== "ai" || run === null || run.state === "running") return citation;
  const known = new Set(run.sources.map(({ kind, id }) => `${kind}:${id}`));
  return (kind, id) => (known.has(`${kind}:${id}`) ? citation(kind, id) : null);
}

function body(item, unfolded) {
  const { message } = item;
  if (message.deleted) return element("p", { class: "body", text: "message deleted" });
  const edited = message.edited_at && element("span", {
    class: "edited",
    title: fullTime(message.edited_at),
    text: " (edited)",
  });
  const words = prose(message.body, citedBy(item));
  const text = element("div", { class: "body" }, ...words, ...(edited ? [edited] : []));
  const { length } = message.body;
  if (length <= FOLDED_CHARS && message.body.split("\n", FOLDED_LINES + 1).length <= FOLDED_LINES) {
    return text;
  }
  return element("div", {}, text, foldButton(text, unfolded));
}

function foldButton(text, unfolded) {
  const button = element("button", { type: "button", class: "link" });
  const show = (open) => {
    text.classList.toggle("folded", !open);
    text.classList.toggle("unfolded", open);
    button.setAttribute("aria-expanded", String(open));
    button.textContent = open ? "Show less" : "Show all";
  };
  button.addEventListener("click", () => show(text.classList.contains("folded")));
  show(unfolded);
  return button;
}

const SENDING = { new: "sending…", edit: "saving…", delete: "deleting…" };
const FAILED = { new: "not sent", edit: "not saved", delete: "not deleted" };

/** What is still under way or went wrong with it. */
function note(item, actions) {
  if (item.state === "settled") return null;
  if (item.state === "sending") return element("p", { class: "state", text: SENDING[item.what] });
  const again = () => actions.retry(item);
  const drop = () => actions.giveUp(item);
  return element(
    "p",
    { class: "state failed", role: "alert" },
    `${FAILED[item.what]}: ${item.error} `,
    element("button", { type: "button", class: "link", text: "Try again", on: { click: again } }),
    " ",
    element("button", { type: "button", class: "link", text: "Discard", on: { click: drop } }),
  );
}

function menuButton(item, actions) {
  const who = authorName(item.message);
  const button = element("button", {
    type: "button",
    class: "more",
    text: "⋯",
    tabindex: "-1",
    "aria-label": `Actions for the message by ${who}, ${clockTime(item.message.created_at)}`,
    "aria-haspopup": "menu",
    "aria-expanded": "false",
  });
  button.addEventListener("click", () => actions.openMenu(button, item));
  return button;
}

