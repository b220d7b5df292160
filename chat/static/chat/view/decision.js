// The two buttons below a proposal: keep it, or discard it.
import { element, showText } from "./dom.js";

/** `actions.accept(memory)` and `actions.discard(memory)` resolve, or throw what is then shown. */
export function decision(memory, title, { accept, discard }) {
  const problem = element("p", { class: "problem", role: "alert", hidden: true });
  const keep = element("button", { type: "button", text: "Keep", "aria-label": `Keep: ${title}` });
  const drop = element("button", { type: "button", class: "quiet", text: "Discard", "aria-label": `Discard: ${title}` });
  const decide = async (work) => {
    keep.disabled = drop.disabled = true;
    showText(problem, "");
    try {
      await work(memory);
    } catch (error) {
      showText(problem, error.message);
      keep.disabled = drop.disabled = false;
    }
  };
  keep.addEventListener("click", () => decide(accept));
  drop.addEventListener("click", () => decide(discard));
  return element("div", { class: "decision" }, keep, drop, problem);
}
