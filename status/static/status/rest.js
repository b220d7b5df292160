// What the page asks by HTTP: JSON in and out, the session cookie, the server's own words as errors.

/** Throws Error, also when the server could not be reached. */
export async function get(path) {
  return request(path, {});
}

/** `csrfCookie`: the name of the cookie that holds Django's CSRF token. */
export async function post(path, csrfCookie) {
  return request(path, { method: "POST", headers: { "X-CSRFToken": cookie(csrfCookie) } });
}

async function request(path, { headers, ...options }) {
  let response;
  try {
    const accepted = { Accept: "application/json, application/problem+json", ...headers };
    response = await fetch(path, { ...options, credentials: "same-origin", headers: accepted });
  } catch (cause) {
    throw new Error("The server could not be reached.", { cause });
  }
  const answer = await response.json().catch(() => null);
  if (!response.ok) throw new Error(answer?.detail ?? answer?.title ?? `Refused: ${response.status}`);
  return answer;
}

function cookie(name) {
  const found = document.cookie.split("; ").find((pair) => pair.startsWith(`${name}=`));
  return found === undefined ? "" : decodeURIComponent(found.slice(name.length + 1));
}
