// The processes, and the busiest streams: two tables.
import { span, STATE_WORDS, STATES, written } from "../words.js";
import { byId, element, Rows, setText } from "./dom.js";

function row(heads, cells) {
  const head = element("th", { scope: "row" });
  const made = Array.from({ length: cells }, (_, at) => element("td", { class: at >= heads ? "number" : null }));
  return { root: element("tr", {}, head, ...made), head, cells: made };
}

export class Processes {
  #rows = new Rows(byId("node-rows"), ({ id }) => id, () => {
    const { root, head, cells } = row(1, 6);
    const name = element("span", { class: "process" });
    const host = element("span", { class: "note" });
    head.append(name, host);
    const update = ({ kind, host: machine, pid, parts, values, started_at, nowMs }) => {
      const level = Math.max(0, ...Object.values(parts).map((state) => STATES.indexOf(state)));
      const troubled = Object.keys(parts).filter((part) => STATES.indexOf(parts[part]) > 0);
      root.dataset.state = STATES[level];
      setText(name, `${kind} ${pid}`);
      setText(host, machine);
      setText(cells[0], level > 0 ? `${STATE_WORDS[STATES[level]]}: ${troubled.join(", ")}` : "ok");
      setText(cells[1], written(values["cpu.percent"], "percent"));
      setText(cells[2], written(values["memory.resident_bytes"], "bytes"));
      setText(cells[3], written(values["event_loop.lag_ms"], "ms"));
      setText(cells[4], written(values["sockets.count"], ""));
      setText(cells[5], span(nowMs - Date.parse(started_at)));
    };
    return { root, update };
  });

  render(members, nowMs) {
    setText(byId("nodes-count"), members.length > 0 ? String(members.length) : "");
    this.#rows.render(members.map((member) => ({ ...member, nowMs })));
  }
}

export class Streams {
  #rows = new Rows(byId("stream-rows"), ({ stream }) => stream, () => {
    const { root, head, cells } = row(0, 4);
    const update = ({ stream, events_per_s, delivered_per_s, readers, behind }) => {
      root.dataset.state = behind > 0 ? "degraded" : "ok";
      setText(head, stream);
      setText(cells[0], written(events_per_s, "per_s"));
      setText(cells[1], written(delivered_per_s, "per_s"));
      setText(cells[2], written(readers, ""));
      setText(cells[3], written(behind, ""));
    };
    return { root, update };
  });

  render(streams) {
    byId("streams-empty").hidden = streams.length > 0;
    byId("streams-box").hidden = streams.length === 0;
    this.#rows.render(streams);
  }
}
