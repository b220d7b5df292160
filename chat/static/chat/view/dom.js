// Making elements. Text is always set as text: nothing parses HTML, here or anywhere in the page but for
// markup.js.

export const byId = (id) => document.getElementById(id);

/**
 * An element. `attributes`: `class`, any attribute (false and null leave it out, true sets it
 * empty), `text`, and `on` with handlers by event name.
 */
export function element(tag, { text, on = {}, ...attributes } = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) setAttribute(made, name, value);
  for (const [name, handler] of Object.entries(on)) made.addEventListener(name, handler);
  if (text !== undefined) made.textContent = text;
  made.append(...children.filter((child) => child !== null));
  return made;
}

export function setAttribute(target, name, value) {
  if (value === false || value === null || value === undefined) target.removeAttribute(name);
  else target.setAttribute(name, value === true ? "" : String(value));
}

/** Only when it differs: writing the same text again would be read out again, and costs a layout. */
export function setText(target, text) {
  if (target.textContent !== text) target.textContent = text;
}

/** Show `text` in `target`, or hide it when there is none. */
export function showText(target, text) {
  setText(target, text ?? "");
  target.hidden = !text;
}
