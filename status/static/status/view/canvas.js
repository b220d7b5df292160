// A canvas as sharp as the screen, and the colours of the page's sheet for it.

/** Colours by the names of the sheet's variables; asked for again when the scheme changes. */
export class Palette {
  #known = new Map();

  constructor(onChange) {
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
      this.#known.clear();
      onChange();
    });
  }

  of(name) {
    let found = this.#known.get(name);
    if (found === undefined) {
      found = getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
      this.#known.set(name, found);
    }
    return found;
  }
}

/** Follows the size of its canvas; `context` draws in CSS pixels. */
export class Surface {
  width = 0;
  height = 0;

  constructor(canvas, onResize) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    new ResizeObserver(([entry]) => {
      this.#fit(entry.contentRect);
      onResize();
    }).observe(canvas);
  }

  #fit({ width, height }) {
    const ratio = globalThis.devicePixelRatio || 1;
    this.width = Math.round(width);
    this.height = Math.round(height);
    this.canvas.width = this.width * ratio;
    this.canvas.height = this.height * ratio;
    this.context.scale(ratio, ratio);
  }
}
