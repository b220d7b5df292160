// A list of elements that follows a list of items by key: elements of items that stay are kept, with
// their focus, selection and open state.

export class KeyedList {
  #container;
  #keyOf;
  #create;
  #update;
  #shown = new Map();

  /**
   * `create(item)` makes an element, `update(element, item)` fills it; the latter runs only for
   * items that are not the very value, or shallowly equal to it, that was shown before.
   */
  constructor(container, { keyOf, create, update }) {
    this.#container = container;
    this.#keyOf = keyOf;
    this.#create = create;
    this.#update = update;
  }

  render(items) {
    const before = this.#shown;
    this.#shown = new Map();
    let place = this.#container.firstElementChild;
    for (const item of items) {
      const key = this.#keyOf(item);
      const held = before.get(key);
      before.delete(key);
      const target = held?.target ?? this.#create(item);
      if (held === undefined || !same(held.item, item)) this.#update(target, item);
      this.#shown.set(key, { target, item });
      if (target === place) place = place.nextElementSibling;
      else {
        // What left is taken out before anything is moved in front of it, or a removal at the top
        // would move every element below (and a moved element loses its focus).
        while (place !== null && gone(place, before)) place = removed(place);
        if (target === place) place = place.nextElementSibling;
        else this.#container.insertBefore(target, place);
      }
    }
    for (const { target } of before.values()) target.remove();
  }

  /** The element of `key`, or null. */
  at(key) {
    return this.#shown.get(key)?.target ?? null;
  }
}

function gone(target, before) {
  return target.dataset.key !== undefined && before.has(target.dataset.key);
}

function removed(target) {
  const next = target.nextElementSibling;
  target.remove();
  return next;
}

function same(a, b) {
  if (a === b) return true;
  if (typeof a !== "object" || typeof b !== "object") return false;
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => a[name] === b[name]);
}
