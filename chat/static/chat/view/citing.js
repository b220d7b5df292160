// Links to what the project has, a memory or a message, anywhere on the page.
import { element } from "./dom.js";

/** A link that shows the `kind` ("memory" or "message") of that id when it is followed. */
export function citation(kind, id, text = `${kind} ${id}`) {
  return element("a", { class: "cite", href: `#${kind}-${id}`, "data-cite": `${kind}:${id}`, text });
}

/**
 * Follow every citation of the page by `show(kind, id)`, which resolves with whether it is still
 * there; what is gone is marked so. `failed(error)` where that could not be found out.
 */
export function followCitations(show, failed) {
  document.addEventListener("click", async (event) => {
    const link = event.target.closest?.("a.cite");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    const [kind, id] = link.dataset.cite.split(":");
    try {
      if (!(await show(kind, Number(id)))) markGone(link, kind);
    } catch (error) {
      failed(error);
    }
  });
}

/** The link stays, and with it the focus; it leads nowhere any more, and says so. */
function markGone(link, kind) {
  if (link.classList.contains("gone")) return;
  link.classList.add("gone");
  link.append(element("span", { class: "gone-note", role: "status", text: ` (this ${kind} is gone)` }));
}
