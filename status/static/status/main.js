// Starts the page: one client, one board, one view, and the wires between them.
import { RealtimeClient } from "../realtime/client.js";
import { Board } from "./board.js";
import { get, post } from "./rest.js";
import { KEPT } from "./timeline.js";
import { Light } from "./view/light.js";
import { Page } from "./view/page.js";

const API = "/api/websocket/status";
const TICK_MS = 2_000;
const RENEW_MS = 10_000;

const { csrfCookie, acknowledges } = document.body.dataset;
const board = new Board();
const client = new RealtimeClient({ url: "/ws" });
const light = new Light(() => client.connect());

/** The server's clock, as far as it is known. */
let clockOffsetMs = 0;
const now = () => Date.now() + clockOffsetMs;

async function acknowledge(id) {
  board.alerts.put(await post(`${API}/alerts/${id}/acknowledge`, csrfCookie));
  page.redraw();
}

const page = new Page(board, {
  now,
  acknowledge: acknowledges === undefined ? null : acknowledge,
});

let live = false;
let hasPast = false;

/** What no signal carries: processes, streams, who acknowledged. While the server cannot say, what
 * was known stays, and the signals count. */
async function renew() {
  const { changes } = board;
  try {
    const [whole, { streams }] = await Promise.all([get(`${API}/system`), get("/status/streams/")]);
    if (!live) return;
    // A signal that came meanwhile is newer.
    if (changes === board.changes) board.whole(whole, now());
    page.streams(streams);
  } catch {
    return;
  }
  if (!hasPast) await loadPast();
}

async function loadPast() {
  const query = board.charted.map((name) => `measure=${encodeURIComponent(name)}`).join("&");
  try {
    board.past(await get(`/status/past/?${query}`), now());
    hasPast = true;
  } catch {
    return; // with the next renewal
  }
  page.redraw();
}

const SIGNALS = {
  system_status_update: (data) => board.update(data, now()),
  health_check: (data) => board.update(data, now()),
  metrics_update: (data) => board.metrics(data, now()),
  performance_alert: (_, frame) => board.event(frame),
};

client.subscribe("status", {
  snapshot: true,
  onSnapshot: (snapshot) => {
    board.timeline.clear();
    board.whole(snapshot, now());
  },
  onSubscribed: async () => {
    live = true;
    light.live();
    page.redraw();
    renew();
    try {
      const { events } = await client.command("history", { stream: "status", limit: KEPT });
      for (const event of events) board.timeline.add(event);
      page.redraw();
    } catch {
      // The connection went; the next one asks again.
    }
  },
  onEvent: (frame) => {
    board.event(frame);
    page.redraw();
  },
  onSignal: (frame) => {
    if (!Object.hasOwn(SIGNALS, frame.type)) return;
    SIGNALS[frame.type](frame.data, frame);
    page.redraw();
  },
  onLeft: () => {
    live = false;
    light.refused();
  },
});

client.on("state", (state) => {
  if (state.state !== "online") live = false;
  light.show(state);
});
client.on("authenticated", ({ server_time }) => {
  clockOffsetMs = Date.parse(server_time) - Date.now();
});
client.on("error", (error) => console.error(error));

setInterval(() => {
  if (live) board.tick(now());
  page.redraw();
}, TICK_MS);
setInterval(() => {
  if (live && document.visibilityState !== "hidden") renew();
}, RENEW_MS);
document.addEventListener("visibilitychange", () => {
  if (live && document.visibilityState !== "hidden") renew();
});
client.connect();
