// The axes of a chart. Pure.

/** The smallest of 1, 2, 2.5, 5 times a power of ten that is not below `value`; 1 for nothing. */
export function niceTop(value) {
  if (!(value > 0) || !Number.isFinite(value)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  const factor = [1, 2, 2.5, 5, 10].find((one) => one * power >= value * (1 - 1e-9)) ?? 10;
  return factor * power;
}

/** The highest value of several lines, NaN left out. */
export function highest(lines) {
  let top = 0;
  for (const line of lines) {
    for (const value of line) if (value > top) top = value;
  }
  return top;
}

/** Stretches of the same level in a row of levels: `[level, from, to)`; NaN is -1. */
export function stretches(levels) {
  const found = [];
  let from = 0;
  for (let at = 1; at <= levels.length; at += 1) {
    if (at < levels.length && same(levels[at], levels[from])) continue;
    found.push([Number.isNaN(levels[from]) ? -1 : levels[from], from, at]);
    from = at;
  }
  return found;
}

const same = (a, b) => a === b || (Number.isNaN(a) && Number.isNaN(b));
