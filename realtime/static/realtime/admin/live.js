// Parts of an admin page that move by themselves: every element with `data-live` is asked for again,
// from the page's own address with that query added, whenever the stream `status` says something.
// The server renders it, so what is shown first and what is shown later is the same template.
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
    if (!response.ok || response.redirected) return show("Not live", "Sign in again to go on.");
    replace(part, await response.text());
  } catch {
    show("Not live", "The server does not answer.");
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

function show(text, title = "") {
  for (const light of lights) {
    light.textContent = text;
    light.title = title;
    light.dataset.on = text === "Live";
  }
}

const client = new RealtimeClient({ url: "/ws" });
let subscribed = false;

client.on("state", ({ state, reason }) => {
  if (state !== "online") show("Not live", reason?.text ?? "");
});
client.subscribe("status", {
  onSubscribed: () => {
    subscribed = true;
    show("Live");
    refreshSoon(); // what came before the subscription
  },
  onEvent: refreshSoon,
  onSignal: refreshSoon,
  onLeft: () => show("Not live", "You may not read the system's status."),
});
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "visible" && (again || subscribed)) refreshSoon();
});
client.connect();
