// What happened, newest first.
import { byId, element, Rows, setText } from "./dom.js";

const when = new Intl.DateTimeFormat(undefined, {
  month: "short",
  day: "numeric",
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
});

export class Happened {
  #rows = new Rows(byId("timeline-list"), ({ seq }) => seq, ({ ts, title, text, tone }) => ({
    root: element(
      "li",
      { "data-tone": tone },
      element("time", { datetime: ts, text: when.format(new Date(ts)) }),
      element("div", {}, element("h3", { text: title }), element("p", { class: "text", text })),
    ),
    update: () => {}, // what happened stays as it was
  }));

  render(entries) {
    byId("timeline-empty").hidden = entries.length > 0;
    setText(byId("timeline-empty"), "Nothing yet.");
    this.#rows.render(entries);
  }
}
