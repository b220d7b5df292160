// Making elements. Text is always set as text: nothing in the page parses HTML.

export const byId = (id) => document.getElementById(id);

export function element(tag, { text, on = {}, ...attributes } = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== false && value !== null && value !== undefined) made.setAttribute(name, value);
  }
  for (const [name, handler] of Object.entries(on)) made.addEventListener(name, handler);
  if (text !== undefined) made.textContent = text;
  made.append(...children);
  return made;
}

/** Only when it differs: writing the same text again costs a layout, and is read out again. */
export function setText(target, text) {
  if (target.textContent !== text) target.textContent = text;
}

/**
 * Rows that follow a list by key: those that stay are kept, with their focus and what is open in
 * them. `make(item)` gives `{root, update(item)}`.
 */
export class Rows {
  #container;
  #keyOf;
  #make;
  #shown = new Map();

  constructor(container, keyOf, make) {
    this.#container = container;
    this.#keyOf = keyOf;
    this.#make = make;
  }

  render(items) {
    const before = this.#shown;
    this.#shown = new Map();
    items.forEach((item, at) => {
      const key = this.#keyOf(item);
      const row = before.get(key) ?? this.#make(item);
      before.delete(key);
      row.update(item);
      this.#shown.set(key, row);
      const there = this.#container.children[at] ?? null;
      if (there !== row.root) this.#container.insertBefore(row.root, there);
    });
    for (const row of before.values()) row.root.remove();
  }

  *[Symbol.iterator]() {
    yield* this.#shown;
  }
}
