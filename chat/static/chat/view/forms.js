// Forms that are sent by REST: one at a time, and the server's own words when it refuses.
import { showText } from "./dom.js";

/** On submit run `send(fields)`; afterwards the form is empty again, or says what was wrong. */
export function submitting(form, send) {
  const button = form.querySelector("[type=submit]");
  const problem = form.querySelector(".problem");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (button.disabled) return;
    button.disabled = true;
    showText(problem, "");
    try {
      await send(Object.fromEntries(new FormData(form)));
      form.reset();
    } catch (error) {
      showText(problem, error.message);
    } finally {
      button.disabled = false;
    }
  });
}
