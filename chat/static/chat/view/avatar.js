// Initials in one of a few quiet colours, always the same for one person.
import { element } from "./dom.js";

const TONES = 6;

/** For a `person` of the wire, or with null for whoever `name` says. */
export function avatar(person, name = person.name) {
  const made = element("span", { class: "avatar", "aria-hidden": "true", text: initials(name) });
  made.dataset.tone = person === null ? "none" : String(person.id % TONES);
  return made;
}

function initials(name) {
  const words = name.split(/[\s._-]+/).filter((word) => word !== "");
  const letters = words.length > 1 ? [words[0], words.at(-1)] : words;
  return letters.map((word) => [...word][0].toLocaleUpperCase()).join("");
}
