// What the AI and the context engine are doing: one line above the composer, all of them on demand.
import { liveLine } from "../feed.js";
import { byId, element, setText } from "./dom.js";
import { KeyedList } from "./keyed.js";
import { Spoken } from "./spoken.js";
import { clockTime, fullTime } from "./times.js";

export class FeedView {
  #box = byId("feed");
  #now = byId("feed-now");
  #rows = new KeyedList(byId("feed-list"), { keyOf: ({ key }) => key, create: createLine, update: fillLine });
  #spoken = new Spoken(byId("feed-spoken"));
  #shown = [];

  open(room) {
    this.#shown = room?.state.feed ?? []; // what was said before is not read out again
    this.#box.open = false;
    this.#fill(this.#shown);
  }

  render({ feed }) {
    if (feed === this.#shown) return;
    const before = new Map(this.#shown.map((line) => [line.key, line]));
    for (const line of feed) {
      if (isNews(before.get(line.key), line)) this.#spoken.say(textOf(line));
    }
    this.#shown = feed;
    this.#fill(feed);
  }

  #fill(feed) {
    this.#box.hidden = feed.length === 0;
    const line = liveLine(feed);
    this.#box.dataset.state = line?.state ?? "done";
    setText(this.#now, line === null ? "" : textOf(line));
    this.#rows.render([...feed].reverse());
  }
}

/** Read out: that something failed, and what becomes of an answer. The rest would never be silent. */
function isNews(before, line) {
  if (before?.state === line.state && (before.text === line.text || line.state === "working")) return false;
  return line.state === "failed" || line.key.startsWith("run-");
}

const textOf = ({ text, detail }) => (detail === "" ? text : `${text} · ${detail}`);

function createLine() {
  const words = element("p", {}, element("span", { class: "feed-text" }), element("span", { class: "feed-detail" }));
  return element("li", {}, words, element("time"));
}

function fillLine(row, { key, state, text, detail, at }) {
  row.dataset.key = key;
  row.dataset.state = state;
  setText(row.querySelector(".feed-text"), text);
  setText(row.querySelector(".feed-detail"), detail === "" ? "" : ` ${detail}`);
  const time = row.querySelector("time");
  time.dateTime = at;
  time.title = at && fullTime(at);
  setText(time, at && clockTime(at));
}
