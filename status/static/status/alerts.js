// The alerts that are open, by id: what the snapshot lists, and what events change. Pure.

const ORDER = { critical: 0, warning: 1, info: 2 };
export const KEPT = 200; // as many as the server lists

export class Alerts {
  #open = new Map();

  /** Worst first, then newest first. */
  get list() {
    return [...this.#open.values()].sort(
      (a, b) =>
        (ORDER[a.severity] ?? 3) - (ORDER[b.severity] ?? 3) ||
        Date.parse(b.opened_at ?? 0) - Date.parse(a.opened_at ?? 0) ||
        Number(b.id > a.id) - Number(b.id < a.id),
    );
  }

  get size() {
    return this.#open.size;
  }

  /** All that are open, as the server lists them. */
  replace(alerts) {
    this.#open = new Map(alerts.filter(({ state }) => state === "open").map((one) => [one.id, one]));
  }

  /** One, as the API answers. */
  put(alert) {
    if (alert.state === "open") this.#open.set(alert.id, alert);
    else this.#open.delete(alert.id);
  }

  /** A `performance_alert`: an event, or without an id what one node saw while the database was
   * away, which its event replaces. */
  event({ ts, data }) {
    const { state, alert, component, subject, severity, text, value, threshold } = data;
    const ahead = data.id === null || data.id === undefined;
    const id = ahead ? aheadId(data) : data.id;
    if (!ahead) this.#open.delete(aheadId(data));
    else if (this.#knows(alert, subject, id)) return;
    if (state === "closed") {
      this.#open.delete(id);
      return;
    }
    const opened_at = data.opened_at ?? ts;
    const known = this.#open.get(id) ?? { id, opened_at, acknowledged_at: null, tried: [] };
    const told = { alert, component, subject, severity, text, value, threshold, ahead, state: "open" };
    const acknowledged_at = state === "acknowledged" ? ts : known.acknowledged_at;
    if (this.#open.size < KEPT || this.#open.has(id)) {
      this.#open.set(id, { ...known, ...told, acknowledged_at });
    }
  }

  /** Whether another story of the same is open. */
  #knows(alert, subject, id) {
    for (const one of this.#open.values()) {
      if (one.id !== id && one.alert === alert && one.subject === subject) return true;
    }
    return false;
  }
}

const aheadId = ({ alert, subject }) => `${alert} ${subject ?? ""}`;
