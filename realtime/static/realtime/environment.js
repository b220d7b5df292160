// What differs between a browser, Node and a test, as far as the client needs it.

/** An absolute ws(s) address; a path is completed from the page's own, which Node has not. */
export function socketUrl(url, environment) {
  const base = environment.location?.href;
  let absolute;
  try {
    absolute = new URL(url, base);
  } catch (cause) {
    throw new TypeError(`expected an absolute URL outside of a browser, got ${url}`, { cause });
  }
  absolute.protocol = absolute.protocol.replace(/^http/, "ws");
  if (absolute.protocol !== "ws:" && absolute.protocol !== "wss:") {
    throw new TypeError(`expected a ws, wss, http or https URL, got ${url}`);
  }
  absolute.hash = ""; // a WebSocket address with a fragment is refused
  return absolute.href;
}

/** Listen to what a browser knows of network and visibility; returns the function that stops. */
export function listen(environment, { online, offline, visible }) {
  const { document } = environment;
  const onVisibility = () => {
    if (document.visibilityState === "visible") visible();
  };
  const listeners = [
    [environment, "online", online],
    [environment, "offline", offline],
    [document, "visibilitychange", onVisibility],
  ].filter(([target]) => typeof target?.addEventListener === "function");
  for (const [target, name, listener] of listeners) target.addEventListener(name, listener);
  return () => {
    for (const [target, name, listener] of listeners) target.removeEventListener(name, listener);
  };
}

/** Hear of the page being hidden and shown; returns the function that stops. */
export function watchVisibility({ document }, changed) {
  if (typeof document?.addEventListener !== "function") return () => {};
  document.addEventListener("visibilitychange", changed);
  return () => document.removeEventListener("visibilitychange", changed);
}

/** A fresh client_ref (36 characters). */
export function newClientRef() {
  const { crypto } = globalThis;
  // randomUUID exists only on https and localhost; a phone on the same network has neither.
  if (typeof crypto.randomUUID === "function") return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(18));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
