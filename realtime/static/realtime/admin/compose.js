// The preview of a broadcast follows what is written. The server renders and sanitises it; nothing
// is sent by asking.

/** So long nothing is typed before the preview is asked for. */
const PAUSE_MS = 300;

const form = document.getElementById("broadcast_form");
const preview = document.getElementById("preview");

let pause = null;
let asked = null;

async function renew() {
  asked?.abort();
  const asking = (asked = new AbortController());
  const given = new FormData(form);
  try {
    const response = await fetch(form.dataset.preview, {
      method: "POST",
      body: given,
      signal: asking.signal,
    });
    if (!response.ok || response.redirected) return;
    const parsed = new DOMParser().parseFromString(await response.text(), "text/html");
    preview.replaceChildren(...parsed.body.childNodes);
  } catch (error) {
    if (error.name !== "AbortError") preview.dataset.stale = "true";
  }
}

function renewSoon() {
  clearTimeout(pause);
  pause = setTimeout(renew, PAUSE_MS);
}

form.addEventListener("input", renewSoon);
form.addEventListener("change", renewSoon);
