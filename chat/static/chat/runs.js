// Runs of the AI in one room, by the message that answers: pure, as state.js is. The rules are those
// of the protocol, section 9.

/** `{run, generation, state, text, error, sources, hole}`; `text` while it is running. */
const fresh = (run, generation, state, fields = {}) => ({
  run, generation, state, text: "", error: "", sources: [], hole: false, ...fields,
});

/** What a fresh page finds: `answers` of the snapshot and `runs` beside it. */
export function runsFound(answers = [], runs = []) {
  const texts = new Map(runs.map((one) => [one.run, one.text]));
  return Object.fromEntries(
    answers.map(({ id, message, generation, state, sources }) => [
      message,
      fresh(id, generation, state, { sources, text: texts.get(id) ?? "" }),
    ]),
  );
}

/** Each takes all runs and a frame's data, and gives the runs afterwards. */
export const RUN_FRAMES = {
  message_updated: (runs, { message, queued_run: run }) => {
    if (run === undefined || run === null) return runs;
    const held = runs[message.id] ?? fresh(run, 0, "queued");
    return { ...runs, [message.id]: { ...held, state: "queued", error: "" } };
  },
  ai_processing_start: (runs, { run, message, generation }) => {
    if ((runs[message]?.generation ?? 0) >= generation) return runs;
    return { ...runs, [message]: fresh(run, generation, "running") };
  },
  ai_processing_progress: (runs, { run, generation, offset, delta }) =>
    changed(runs, run, (held) => {
      if (held.generation !== generation || held.state !== "running") return held;
      return joined(held, offset, delta);
    }),
  ai_response_generated: (runs, { run, sources }) =>
    changed(runs, run, (held) => ({ ...held, sources: sources ?? [] })),
  ai_processing_error: (runs, { run, message, will_retry, retry_after_ms }) =>
    changed(runs, run, (held) => ({
      ...held, error: will_retry ? `${message}; trying again${after(retry_after_ms)}` : message,
    })),
  ai_processing_end: (runs, { run, state }) =>
    changed(runs, run, (held) => ({ ...held, state, text: "", hole: false })),
};

/** The run as the server says it stands: what was missed is there again. */
export function runTold(runs, { message, generation, state, text }) {
  const held = runs[message];
  if (held === undefined || held.generation > generation) return runs;
  if (state !== "running" || (held.generation === generation && text.length < held.text.length)) {
    return { ...runs, [message]: { ...held, hole: false } };
  }
  return { ...runs, [message]: { ...held, generation, state, text, hole: false } };
}

/** Ids of runs whose text has a hole. */
export const holes = (runs) => Object.values(runs).filter(({ hole }) => hole).map(({ run }) => run);

const after = (ms) => (ms >= 1_000 ? ` in ${Math.round(ms / 1_000)} s` : "");

/** Offsets count code points, where JavaScript counts UTF-16 units. */
function joined(held, offset, delta) {
  const points = [...held.text];
  if (offset > points.length) return held.hole ? held : { ...held, hole: true };
  if (points.length >= offset + [...delta].length) return held;
  return { ...held, error: "", text: points.slice(0, offset).join("") + delta };
}

function changed(runs, id, change) {
  const [message, held] = Object.entries(runs).find(([, one]) => one.run === id) ?? [];
  if (held === undefined) return runs;
  const made = change(held);
  return made === held ? runs : { ...runs, [message]: made };
}
