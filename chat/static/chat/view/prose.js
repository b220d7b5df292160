// What people write, as nodes: web addresses, `code` and **strong** words; all else is plain text.
import { element } from "./dom.js";

const ADDRESS = /https?:\/\/[^\s<>"']*[^\s<>"'.,;:!?)\]*`]/;
const CODE = /`[^`\n]+`/;
const STRONG = /\*\*[^*\n]+\*\*/;
const MARKED = new RegExp(`(${ADDRESS.source}|${CODE.source}|${STRONG.source})`);

/** Nodes for `text`. Nothing is parsed as HTML, so nothing in it can become markup. */
export function prose(text) {
  // split() with one group puts what matched at the odd places.
  return text.split(MARKED).map((part, at) => (at % 2 === 0 ? part : marked(part)));
}

function marked(part) {
  if (part.startsWith("`")) return element("code", { text: part.slice(1, -1) });
  if (part.startsWith("**")) return element("strong", { text: part.slice(2, -2) });
  const rel = "noopener noreferrer nofollow";
  return element("a", { href: part, target: "_blank", rel, text: part });
}
