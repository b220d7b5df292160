// What happened, newest first: the events of the stream `status`, as one list of bounded length. Pure.

export const KEPT = 100;

const STEPS = {
  opened: "opened",
  reopened: "came back",
  escalated: "became critical",
  acknowledged: "was acknowledged",
  closed: "closed",
};

const TOLD = {
  performance_alert: ({ alert, subject, state, severity, text, ended }) => ({
    title: `${subject ? `${alert} (${subject})` : alert} ${STEPS[state] ?? state}`,
    text: state === "closed" && ended ? ended : text,
    tone: state === "closed" ? "good" : state === "acknowledged" ? "plain" : severity,
  }),
  warning_issued: ({ text, part }) => ({ title: `Incident: ${part ?? "system"}`, text, tone: "warning" }),
  recovery_attempt: ({ text, part }) => ({
    title: `Recovery tried: ${part ?? "system"}`,
    text,
    tone: "plain",
  }),
  connection_restored: ({ text, part }) => ({ title: `Back: ${part ?? "system"}`, text, tone: "good" }),
  error_occurred: ({ text, part }) => ({ title: `Error: ${part ?? "system"}`, text, tone: "critical" }),
};

export class Timeline {
  #entries = []; // by falling seq

  get entries() {
    return this.#entries;
  }

  /** Events of another epoch begin anew. */
  clear() {
    this.#entries = [];
  }

  /** Take an event of the stream, in whatever order they come; false if it tells nothing new. */
  add({ type, seq, ts, data }) {
    const told = Object.hasOwn(TOLD, type) ? TOLD[type](data) : null;
    if (told === null || !Number.isInteger(seq)) return false;
    const entries = this.#entries;
    let place = entries.findIndex((one) => one.seq <= seq);
    if (place === -1) place = entries.length;
    if (entries[place]?.seq === seq || place >= KEPT) return false;
    this.#entries = [...entries.slice(0, place), { seq, ts, ...told }, ...entries.slice(place)];
    this.#entries.length = Math.min(this.#entries.length, KEPT);
    return true;
  }
}
