// The small menu of a message: one at a time, by mouse, touch or keyboard.
import { element } from "./dom.js";

let closeOpen = null;

/**
 * Open a menu under `button` with `items`: `{label, danger, run}`. Escape, Tab, choosing and
 * pressing elsewhere close it; the focus goes back to the button.
 */
export function openMenu(button, items) {
  const again = button.getAttribute("aria-expanded") === "true";
  closeOpen?.();
  if (again) return;
  const menu = element("div", { class: "menu", role: "menu", "aria-label": "Message" });
  const close = ({ refocus = false } = {}) => {
    menu.remove();
    button.setAttribute("aria-expanded", "false");
    document.removeEventListener("pointerdown", outside, true);
    closeOpen = null;
    if (refocus) button.focus();
  };
  const outside = (event) => {
    if (!menu.contains(event.target) && !button.contains(event.target)) close();
  };
  for (const { label, danger = false, run } of items) {
    const choose = () => {
      close({ refocus: true });
      run();
    };
    const attributes = { type: "button", role: "menuitem", tabindex: "-1", class: danger && "danger" };
    menu.append(element("button", { ...attributes, text: label, on: { click: choose } }));
  }
  menu.addEventListener("keydown", (event) => {
    if (event.key === "Escape" || event.key === "Tab") close({ refocus: true });
    else if (!moveFocus([...menu.children], event.key)) return;
    event.preventDefault();
    event.stopPropagation();
  });
  button.after(menu);
  button.setAttribute("aria-expanded", "true");
  document.addEventListener("pointerdown", outside, true);
  closeOpen = close;
  flip(menu);
  menu.firstElementChild.focus({ preventScroll: true });
}

/** Move the focus among `targets` by an arrow key, Home or End; false for any other key. */
export function moveFocus(targets, key) {
  const at = targets.indexOf(document.activeElement);
  const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: targets.length - 1 }[key];
  if (to === undefined || targets.length === 0) return false;
  targets[Math.min(Math.max(to, 0), targets.length - 1)].focus();
  return true;
}

/** Open upwards where there is no room below. */
function flip(menu) {
  const scroll = menu.closest(".scroll").getBoundingClientRect();
  menu.classList.toggle("up", menu.getBoundingClientRect().bottom > scroll.bottom);
}
