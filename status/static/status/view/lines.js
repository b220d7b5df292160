// Draws lines over 90 minutes: the only thing that draws charts.
import { highest, niceTop } from "../scale.js";

const LEFT = 4;
const RIGHT = 4;
const TOP = 16;
const BOTTOM = 18;
const GRID = [0, 0.5, 1];
const TICKS = [
  [1 / 3, "60 min ago"],
  [2 / 3, "30 min ago"],
];

/**
 * `lines`: rows of values, oldest first, NaN where there is none. `style` gives `grid`, `text`,
 * `font` and `tones`, `label(value)` writes a value of the axis.
 */
export function drawLines({ context, width, height }, lines, style, label) {
  context.clearRect(0, 0, width, height);
  const inner = { width: width - LEFT - RIGHT, height: height - TOP - BOTTOM };
  if (inner.width <= 0 || inner.height <= 0) return;
  const top = niceTop(highest(lines));
  drawGrid(context, inner, top, style, label);
  if (lines.every((line) => line.every(Number.isNaN))) {
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.fillText("nothing measured", LEFT + inner.width / 2, TOP + inner.height / 4);
    return;
  }
  lines.forEach((line, at) => {
    context.strokeStyle = style.tones[at % style.tones.length];
    drawLine(context, inner, line, top);
  });
}

function drawGrid(context, inner, top, style, label) {
  context.strokeStyle = style.grid;
  context.fillStyle = style.text;
  context.font = style.font;
  context.lineWidth = 1;
  context.beginPath();
  for (const part of GRID) {
    const y = Math.round(TOP + inner.height * (1 - part)) + 0.5;
    context.moveTo(LEFT, y);
    context.lineTo(LEFT + inner.width, y);
  }
  context.stroke();
  context.textAlign = "left";
  context.textBaseline = "bottom";
  for (const part of GRID.slice(1)) {
    context.fillText(label(top * part), LEFT, TOP + inner.height * (1 - part) - 1);
  }
  context.textBaseline = "top";
  context.textAlign = "center";
  const y = TOP + inner.height + 4;
  for (const [part, text] of TICKS) context.fillText(text, LEFT + inner.width * part, y);
  context.textAlign = "right";
  context.fillText("now", LEFT + inner.width, y);
}

/** A value alone between two holes is a dot. */
function drawLine(context, inner, line, top) {
  const step = inner.width / Math.max(1, line.length - 1);
  const yOf = (value) => TOP + inner.height * (1 - value / top);
  context.lineWidth = 1.5;
  context.lineJoin = "round";
  context.beginPath();
  let drawing = false;
  for (let at = 0; at < line.length; at += 1) {
    const value = line[at];
    if (Number.isNaN(value)) {
      drawing = false;
      continue;
    }
    const x = LEFT + at * step;
    if (drawing) context.lineTo(x, yOf(value));
    else {
      context.moveTo(x - 0.75, yOf(value));
      context.lineTo(x, yOf(value));
    }
    drawing = true;
  }
  context.stroke();
}
