// The alerts that are open, and the button that says: I look after it.
import { span, written } from "../words.js";
import { byId, element, Rows, setText } from "./dom.js";

export class AlertList {
  #board;
  #acknowledge;
  #rows;
  #may;

  /** `acknowledge(id)` resolves when it is done; null where this person may not. */
  constructor(board, acknowledge) {
    this.#board = board;
    this.#acknowledge = acknowledge;
    this.#may = acknowledge !== null;
    this.#rows = new Rows(byId("alert-list"), ({ id }) => id, (alert) => this.#made(alert));
  }

  render(nowMs) {
    const { list } = this.#board.alerts;
    byId("alerts-empty").hidden = list.length > 0;
    setText(byId("alerts-count"), list.length > 0 ? String(list.length) : "");
    this.#rows.render(list.map((alert) => ({ ...alert, nowMs })));
  }

  #made({ id }) {
    const severity = element("span", { class: "chip severity" });
    const title = element("h3");
    const text = element("p", { class: "text" });
    const since = element("p", { class: "note" });
    const button = element("button", { type: "button", text: "Acknowledge" });
    button.addEventListener("click", () => this.#clicked(id, button));
    const root = element(
      "li",
      { "data-alert": id },
      element("div", { class: "head" }, severity, title),
      text,
      element("div", { class: "foot" }, since, button),
    );
    const update = (alert) => {
      root.dataset.severity = alert.severity;
      setText(severity, alert.severity);
      setText(title, alert.text);
      setText(text, details(alert));
      setText(since, lasting(alert));
      // One that is not written yet cannot be acknowledged.
      button.hidden = !this.#may || Boolean(alert.acknowledged_at) || Boolean(alert.ahead);
    };
    return { root, update };
  }

  async #clicked(id, button) {
    const problem = byId("alerts-problem");
    button.disabled = true;
    problem.hidden = true;
    try {
      await this.#acknowledge(id);
      byId("alerts-title").focus(); // the button is gone
    } catch (error) {
      problem.textContent = error.message;
      problem.hidden = false;
    } finally {
      button.disabled = false;
    }
  }
}

function details({ alert, subject, value, threshold, samples }) {
  const about = subject ? `${alert}, ${subject}` : alert;
  const measured = Number.isFinite(value) ? `: ${written(value, "")} (limit ${written(threshold, "")})` : "";
  const sample = samples?.[0] ? ` — ${samples[0]}` : "";
  return `${about}${measured}${sample}`;
}

function lasting({ opened_at, acknowledged_at, acknowledged_by, ahead, nowMs }) {
  const open = `open for ${span(nowMs - Date.parse(opened_at))}`;
  if (ahead) return `${open}, recorded when the database is back`;
  if (!acknowledged_at) return open;
  return acknowledged_by ? `${open}, ${acknowledged_by} looks after it` : `${open}, acknowledged`;
}
