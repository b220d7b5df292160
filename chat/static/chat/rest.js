// The REST API as the page uses it: JSON in and out, the session cookie, problem details as errors.

/** What the server answered instead; `message` is its own text. */
export class Problem extends Error {
  constructor(message, status) {
    super(message);
    this.name = "Problem";
    this.status = status;
  }
}

export class Rest {
  #csrfCookie;

  /** `csrfCookie`: the name of the cookie that holds Django's CSRF token. */
  constructor({ csrfCookie }) {
    this.#csrfCookie = csrfCookie;
  }

  async get(path) {
    return (await this.getWhole(path)).answer;
  }

  /** As `get`, with what the headers say: `{answer, headers}`. */
  getWhole(path) {
    return this.#request(path, {});
  }

  async post(path, body) {
    const { answer } = await this.#request(path, {
      method: "POST",
      headers: {
        "Content-Type": "application/json",
        // Read at every request: signing in from another tab changes it.
        "X-CSRFToken": cookie(this.#csrfCookie),
      },
      body: JSON.stringify(body),
    });
    return answer;
  }

  /** The decoded answer and its headers. Throws Problem, also when the server could not be reached. */
  async #request(path, { headers, ...options }) {
    let response;
    try {
      response = await fetch(path, {
        ...options,
        credentials: "same-origin",
        headers: { Accept: "application/json, application/problem+json", ...headers },
      });
    } catch (cause) {
      throw new Problem(`the server could not be reached (${cause.message})`, 0);
    }
    const answer = await response.json().catch(() => null);
    if (!response.ok) throw new Problem(problemText(answer, response), response.status);
    return { answer, headers: response.headers };
  }
}

/** All that the server wrote: its sentence, and the field by field list when there is one. */
function problemText(problem, response) {
  const fields = Object.entries(problem?.errors ?? {}).flatMap(([name, texts]) =>
    [texts].flat().map((text) => `${name}: ${text}`),
  );
  const text = fields.length > 0 ? fields.join("; ") : problem?.detail ?? problem?.title;
  return text ?? `${response.status} ${response.statusText}`;
}

function cookie(name) {
  const found = document.cookie.split("; ").find((pair) => pair.startsWith(`${name}=`));
  return found === undefined ? "" : decodeURIComponent(found.slice(name.length + 1));
}
