// Parts of an admin page that move by themselves: every element with `data-live` is asked for again,
// from the page's own address with that query added, whenever one of the streams in `data-streams`
// of the light says something: `status`, and of one's own broadcasts also `user.<id>`. One of them
// that may be read is enough. The server renders it, so what is shown first and what is shown later is
// the same template.
import { RealtimeClient } from "../client.js";

/** Between two requests: a busy site's signals come several times a second. */
const REFRESH_MS = 2_000;

const parts = [...document.querySelectorAll("[data-live]")];
const lights = [...document.querySelectorAll("[data-live-light]")];

let due = null;
let running = false;
let again = false;
let last = 0;

function refreshSoon() {
  if (running) again = true;
  else due ??= setTimeout(refresh, Math.max(0, last + REFRESH_MS - Date.now()));
}

async function refresh() {
  due = null;
  if (document.visibilityState === "hidden") {
    again = true; // when the page is seen again
    return;
  }
  running = true;
  again = false;
  last = Date.now();
  await Promise.all(parts.map(renew));
  running = false;
  if (again) refreshSoon();
}

async function renew(part) {
  const address = new URL(location.href);
  for (const [name, value] of new URLSearchParams(part.dataset.live)) {
    address.searchParams.set(name, value);
  }
  try {
    const response = await fetch(address, { headers: { Accept: "text/html" } });
    if (!response.ok || response.redirected) return show("Not live: sign in again to go on");
    replace(part, await response.text());
    if (online && followed.size > 0) show("Live");
  } catch {
    show("Not live: the server does not answer");
  }
}

/** Whoever is at a button of the part stays there. */
function replace(part, html) {
  const held = part.contains(document.activeElement) ? document.activeElement : null;
  const parsed = new DOMParser().parseFromString(html, "text/html");
  part.replaceChildren(...parsed.body.childNodes);
  if (held?.name) {
    const same = [...part.querySelectorAll(`[name="${CSS.escape(held.name)}"]`)];
    same.find((element) => element.value === held.value)?.focus();
  }
}

/** Said again only when it changes: it is read out. */
function show(text) {
  for (const light of lights) {
    if (light.textContent !== text) light.textContent = text;
    light.dataset.on = text === "Live";
  }
}

const client = new RealtimeClient({ url: "/ws" });
const followed = new Set(); // and their subscriptions stand, while the client is online
let online = false;

client.on("state", ({ state, reason }) => {
  online = state === "online";
  if (online) return;
  const why = state === "stopped" ? reason?.text || reason?.name : null;
  show(why ? `Not live: ${why}` : "Not live: connecting…");
});

function follow(stream) {
  client.subscribe(stream, {
    onSubscribed: () => {
      followed.add(stream);
      show("Live");
      refreshSoon(); // what came before the subscription
    },
    onEvent: refreshSoon,
    onSignal: refreshSoon,
    onLeft: () => {
      followed.delete(stream);
      if (followed.size === 0) show("Not live: you may not follow this; reload the page to see more");
    },
  });
}

const streams = new Set(lights.flatMap((light) => light.dataset.streams.split(" ")));
streams.forEach(follow);
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "visible" && (again || followed.size > 0)) refreshSoon();
});
client.connect();
