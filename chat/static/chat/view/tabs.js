// Panes side by side where there is room for them; one at a time, chosen by tabs, where there is not.
import { byId } from "./dom.js";
import { narrow } from "./width.js";

const PANES = ["messages", "memories", "people"];

export class Tabs {
  #room = byId("room");
  #list = byId("tabs");
  #chosen = "messages";

  constructor() {
    this.#list.addEventListener("click", (event) => {
      const pane = event.target.closest("button")?.dataset.pane;
      if (pane !== undefined) this.choose(pane);
    });
    this.#list.addEventListener("keydown", (event) => this.#keyPressed(event));
    narrow.addEventListener("change", () => this.#show());
    this.#show();
  }

  choose(pane) {
    this.#chosen = pane;
    this.#show();
  }

  #show() {
    const alone = narrow.matches;
    this.#room.dataset.pane = this.#chosen;
    this.#list.hidden = !alone;
    this.#list.setAttribute("role", "tablist");
    this.#list.setAttribute("aria-label", "Parts of the project");
    for (const name of PANES) {
      const [tab, pane] = [byId(`tab-${name}`), byId(`pane-${name}`)];
      const current = name === this.#chosen;
      tab.setAttribute("role", "tab");
      tab.setAttribute("aria-controls", pane.id);
      tab.setAttribute("aria-selected", String(current));
      tab.tabIndex = current ? 0 : -1;
      pane.hidden = alone && !current;
      // Side by side they are regions under their own headings.
      if (alone) pane.setAttribute("role", "tabpanel");
      else pane.removeAttribute("role");
      pane.setAttribute("aria-labelledby", alone ? tab.id : `${name}-title`);
    }
  }

  #keyPressed(event) {
    const at = PANES.indexOf(this.#chosen);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: PANES.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    this.choose(PANES[(to + PANES.length) % PANES.length]);
    byId(`tab-${this.#chosen}`).focus();
  }
}
