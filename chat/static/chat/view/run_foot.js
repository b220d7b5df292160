// What stands below an answer of the AI: how it goes, a button to stop it or to run it again, and
// what it cites.
import { citation } from "./citing.js";
import { element, setText } from "./dom.js";

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
  const button = open
    ? action("Stop", () => actions.stopRun(run.run))
    : item.mayAsk && action("Run again", () => actions.runAgain(run.run));
  return element(
    "div",
    { class: "run", "data-run": run.state },
    run.sources.length > 0 && !open ? sources(run.sources, item.gone) : null,
    line(stateText(run), button || null),
  );
}

/** The text of a run that has only grown, in the foot that is there. */
export function updateFoot(row, run) {
  setText(row.querySelector(".run-state"), stateText(run));
}

/** Whether only the text has grown since `before` was shown. */
export const onlyGrown = (before, run) =>
  run?.state === "running" && before?.state === "running" &&
  before.run === run.run && before.generation === run.generation && before.error === run.error;

function stateText({ state, text, error }) {
  const thinking = state === "running" && text === "";
  const said = thinking ? "The AI is thinking…" : STATES[state];
  return [said, error && sentence(error)].filter(Boolean).join(" ");
}

const sentence = (text) => `${text[0].toUpperCase()}${text.slice(1)}.`;

function line(text, button = null) {
  return element("p", { class: "state" }, element("span", { class: "run-state", text }), text && button ? " " : "", button);
}

function action(text, click) {
  return element("button", { type: "button", class: "link", text, on: { click } });
}

/** `gone`: marks of those that are certainly gone, between spaces. */
function sources(list, gone) {
  const items = list.map(({ kind, id, title }) => {
    const named = title || `${kind} ${id}`;
    const isGone = gone.includes(` ${kind}:${id} `);
    const shown = isGone ? element("s", { text: named }) : citation(kind, id, named);
    const note = isGone ? " gone" : "";
    return element("li", {}, shown, element("span", { class: "source-kind", text: ` ${kind} ${id}${note}` }));
  });
  const heading = element("p", { class: "state", text: "Sources" });
  return element("div", { class: "sources" }, heading, element("ol", { "aria-label": "Sources" }, ...items));
}
