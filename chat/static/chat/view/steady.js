// Values made anew at each rendering, for lists that fill their rows again only when something else is
// to be shown.

/** A function `(key, value)` that gives the earlier value of that key while it says the same. */
export function steady() {
  let before = new Map();
  let now = new Map();
  const same = (key, value) => {
    const text = JSON.stringify(value);
    const held = now.get(key) ?? before.get(key);
    const kept = held?.text === text ? held : { text, value };
    now.set(key, kept);
    return kept.value;
  };
  /** What was not asked for since the last turn is forgotten. */
  same.turn = () => {
    before = now;
    now = new Map();
  };
  return same;
}

/** A function of the inputs of some work: whether any is another one than the last time. */
export function watched() {
  let before = null;
  return (...inputs) => {
    const changed = before === null || inputs.some((input, at) => input !== before[at]);
    before = inputs;
    return changed;
  };
}
