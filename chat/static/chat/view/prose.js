// What people write, as nodes: web addresses, `code`, **strong** words and marks of what the project
// has (`[memory:12]`); all else is plain text.
import { element } from "./dom.js";

const ADDRESS = /https?:\/\/[^\s<>"']*[^\s<>"'.,;:!?)\]*`]/;
const CODE = /`[^`\n]+`/;
const STRONG = /\*\*[^*\n]+\*\*/;
const MARK = /\[(?:memory|message):[1-9][0-9]{0,14}\]/;
const MARKED = new RegExp(`(${ADDRESS.source}|${CODE.source}|${STRONG.source}|${MARK.source})`);

/**
 * Nodes for `text`. Nothing is parsed as HTML, so nothing in it can become markup. `cited(kind, id)`
 * makes a link of a mark, or null: then it stays as it was written.
 */
export function prose(text, cited = () => null) {
  // split() with one group puts what matched at the odd places.
  return text.split(MARKED).map((part, at) => (at % 2 === 0 ? part : marked(part, cited)));
}

function marked(part, cited) {
  if (part.startsWith("`")) return element("code", { text: part.slice(1, -1) });
  if (part.startsWith("**")) return element("strong", { text: part.slice(2, -2) });
  if (part.startsWith("[")) {
    const [kind, id] = part.slice(1, -1).split(":");
    return cited(kind, Number(id)) ?? part;
  }
  const rel = "noopener noreferrer nofollow";
  return element("a", { href: part, target: "_blank", rel, text: part });
}
