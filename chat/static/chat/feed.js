// What the AI and the context engine are doing, one line for each piece of work, which changes as the
// work goes on. Pure, as state.js is; nothing of it is kept by the server.

/** Lines kept; the oldest go. */
export const KEPT_LINES = 50;

/**
 * A line is `{key, at, state, text, detail, who, issues}`; `state` is working, done or failed, `at`
 * when the work began, `detail` what stands beside it, `who` the author of what is read.
 */
const FRAMES = {
  message_updated: (lines, { message, queued_run: run }) =>
    run === undefined || run === null ? lines : begun(lines, keyOfRun(run), {
      text: message.body === "" ? "A question waits for the AI" : "A question waits for the AI again",
    }),
  ai_processing_start: (lines, { run }) => begun(lines, keyOfRun(run), { text: "The AI is thinking" }),
  ai_processing_progress: (lines, { run }) =>
    at(lines, keyOfRun(run), (line) =>
      line.state === "working" ? { ...line, text: "The AI is writing", detail: "" } : line),
  ai_processing_error: (lines, { run, message, will_retry, retry_after_ms }) =>
    at(lines, keyOfRun(run), (line) => will_retry
      ? { ...line, text: "The AI is tried again", detail: `${message}; ${soon(retry_after_ms)}` }
      : { ...line, detail: message }),
  ai_processing_end: (lines, { run, state }) =>
    at(lines, keyOfRun(run), (line) => ({
      ...line, text: ENDS[state], state: state === "completed" || state === "cancelled" ? "done" : "failed",
    })),
  message_processed: (lines, { run, timings_ms: timings }) =>
    run && timings ? at(lines, keyOfRun(run), (line) => ({ ...line, detail: timesOf(timings) })) : lines,

  context_analysis_progress: (lines, { message, step }, state) =>
    analysed(lines, message, state, { text: STEPS[step]?.doing ?? "Looking into it" }),
  key_terms_extracted: (lines, { message, terms }, state) =>
    analysed(lines, message, state, { detail: terms.join(", ") }),
  memory_retrieval_progress: (lines, { message, step }, state) =>
    analysed(lines, message, state, SEARCHES[step] ? { text: SEARCHES[step] } : {}),
  similar_issues_found: (lines, { message, issues }, state) =>
    analysed(lines, message, state, { issues: issues.length }),
  context_analysis_complete: (lines, { message, memories, timings_ms: timings, errors }, state) => {
    const before = analysed(lines, message, state, {});
    return at(before, keyOfMessage(message), (line) => ({
      ...line, text: errors.length > 0 ? troubles(errors) : findings(memories.length, line),
      state: errors.length > 0 ? "failed" : "done",
      detail: [line.detail, timesOfSteps(timings)].filter(Boolean).join(" · "),
    }));
  },

  memory_stored: (lines, { memory }) =>
    memory.status === "proposed" ? noted(lines, `memory-${memory.id}`, `To keep? ${memory.title}`, memory.kind) : lines,
  memory_expired: (lines, { memory }, state) => {
    const title = state.memories.find(({ id }) => id === memory)?.title;
    return noted(lines, `memory-${memory}`, title === undefined ? "A memory has expired" : `Expired: ${title}`, "");
  },
};

/** The lines after a frame; the very same for one that says nothing of it. */
export const withLine = (lines, frame, state) => stamped(lines, FRAMES[frame.type]?.(lines, frame.data, state) ?? lines, frame.ts);

/** What a fresh state begins with: work under way that nobody saw beginning, and what has ended. */
export function linesFound(lines, answers = []) {
  const ended = lines.filter(({ state }) => state !== "working");
  return answers
    .filter(({ state }) => state === "queued" || state === "running")
    .reduce((held, { id, state }) => begun(held, keyOfRun(id), {
      text: state === "queued" ? "A question waits for the AI" : "The AI is writing",
    }), ended);
}

/** The one to show where there is room for one: what is being done, else what was done last. */
export const liveLine = (lines) => lines.findLast(({ state }) => state === "working") ?? lines.at(-1) ?? null;

const keyOfRun = (run) => `run-${run}`;
const keyOfMessage = (message) => `message-${message}`;

const ENDS = {
  completed: "The AI has answered",
  cancelled: "The answer was stopped",
  failed: "The answer failed",
  interrupted: "The answer was interrupted",
};
const STEPS = {
  terms: { doing: "Picking out the key words", what: "finding key words" },
  memories: { doing: "Searching the memories", what: "searching the memories" },
  issues: { doing: "Comparing with known issues", what: "comparing with known issues" },
  dependencies: { doing: "Looking at what rests on them", what: "looking at what rests on them" },
  summary: { doing: "Summing up the project", what: "summing up the project" },
};
const SEARCHES = {
  searching: "Searching the memories",
  meaning: "Searched the memories by meaning",
  keywords: "Searched the memories by key words",
};
const TROUBLES = { unavailable: "the database was busy", internal: "a fault of the server" };

/** A new piece of work, or the same one once more: its line comes last. */
function begun(lines, key, fields) {
  const line = { key, at: "", state: "working", text: "", detail: "", who: "", issues: 0, ...fields };
  return [...lines.filter((other) => other.key !== key), line].slice(-KEPT_LINES);
}

function noted(lines, key, text, detail) {
  return begun(lines, key, { state: "done", text, detail });
}

/** Signals come in any order with events: what has ended stays so. */
function analysed(lines, message, state, fields) {
  const key = keyOfMessage(message);
  if (lines.some((line) => line.key === key)) {
    return at(lines, key, (line) => (line.state === "working" ? { ...line, ...fields } : line));
  }
  const name = state.messages.find(({ id }) => id === message)?.author?.name;
  const who = name === undefined ? "a message" : `what ${name} wrote`;
  return begun(lines, key, { text: `Reading ${who}`, who, ...fields });
}

function at(lines, key, change) {
  const place = lines.findIndex((line) => line.key === key);
  if (place < 0) return lines;
  const made = change(lines[place]);
  const same = Object.keys(made).every((name) => made[name] === lines[place][name]);
  return same ? lines : [...lines.slice(0, place), made, ...lines.slice(place + 1)];
}

function stamped(before, after, ts) {
  if (before === after || after.at(-1).at !== "") return after;
  return [...after.slice(0, -1), { ...after.at(-1), at: ts }];
}

const count = (number, one, many) => `${number} ${number === 1 ? one : many}`;

function findings(memories, { who, issues }) {
  if (memories === 0) return `Read ${who}: nothing the project knows is like it`;
  const like = issues > 0 ? `, ${count(issues, "issue is", "issues are")} like it` : "";
  return `Read ${who}: ${count(memories, "memory matters", "memories matter")}${like}`;
}

function troubles(errors) {
  const [{ step, code }] = errors;
  const more = errors.length > 1 ? `, and ${count(errors.length - 1, "other step", "other steps")} neither` : "";
  return `Not all of it worked: not ${STEPS[step]?.what ?? step} (${TROUBLES[code] ?? code})${more}`;
}

const soon = (ms) => (ms ? `trying again in ${seconds(ms)}` : "trying again");
const seconds = (ms) => (ms < 1_000 ? `${Math.round(ms)} ms` : `${(ms / 1_000).toFixed(1)} s`);

function timesOf({ first_token: first, total }) {
  return [first !== null && `first words after ${seconds(first)}`, `${seconds(total)} in all`].filter(Boolean).join(", ");
}

function timesOfSteps({ queue = 0, ...steps }) {
  const worked = Object.values(steps).reduce((sum, ms) => sum + ms, 0);
  return queue >= 1_000 ? `${seconds(worked)}, after waiting ${seconds(queue)}` : seconds(worked);
}
