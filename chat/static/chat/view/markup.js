// The one place where HTML becomes elements: what the server has made of a broadcast's Markdown.

/**
 * Nodes for the `html` of a broadcast, and for nothing else: only that was cut down by the server to an
 * allow-list without scripts, styles, images, forms, ids or handlers (realtime/broadcasts/rendering.py),
 * and the site's policy runs nothing inline besides. A parsed document runs nothing, loads nothing.
 */
export function sanitisedNodes(html) {
  const { body } = new DOMParser().parseFromString(html, "text/html");
  for (const link of body.querySelectorAll("a")) {
    link.target = "_blank";
    link.rel = "noopener noreferrer nofollow";
  }
  return [...body.childNodes].map((node) => document.adoptNode(node));
}
