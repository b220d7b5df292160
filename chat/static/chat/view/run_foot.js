// What stands below an answer of the AI: how it goes, a button to stop it or to run it again, and
// what it cites.
import { element } from "./dom.js";

const STATES = {
  queued: "Waiting for the AI…",
  running: "The AI is writing…",
  cancelled: "Stopped.",
  failed: "The answer failed.",
  interrupted: "The answer was interrupted.",
};

/** `item.run` as in runs.js, or null for an answer whose run nobody told of; null: nothing to say. */
export function runFoot(item, actions) {
  const { run, message } = item;
  if (message.kind !== "ai" || message.deleted) return null;
  if (run === null) return message.body === "" ? line(STATES.queued) : null;
  const open = run.state === "queued" || run.state === "running";
  const text = [STATES[run.state], run.error && sentence(run.error)].filter(Boolean).join(" ");
  const button = open
    ? action("Stop", () => actions.stopRun(run.run))
    : item.mayAsk && action("Run again", () => actions.runAgain(run.run));
  return element(
    "div",
    { class: "run", "data-run": run.state },
    run.sources.length > 0 ? sources(run.sources, actions) : null,
    line(text, button || null),
  );
}

/** Whether only the text has grown since `before` was shown. */
export const onlyGrown = (before, run) =>
  run?.state === "running" && before?.state === "running" &&
  before.run === run.run && before.generation === run.generation && before.error === run.error;

const sentence = (text) => `${text[0].toUpperCase()}${text.slice(1)}.`;

function line(text, button = null) {
  return element("p", { class: "state" }, text, text && button ? " " : "", button);
}

function action(text, click) {
  return element("button", { type: "button", class: "link", text, on: { click } });
}

function sources(list, actions) {
  const items = list.map(({ kind, id, title }) => {
    const shown = `${title || kind} [${kind}:${id}]`;
    return element("li", {}, kind === "message" ? action(shown, () => actions.goTo(id)) : shown);
  });
  return element("ul", { class: "sources", "aria-label": "Sources" }, ...items);
}
