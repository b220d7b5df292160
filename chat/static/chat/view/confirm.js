// The one question that the page asks before doing something that cannot be undone.
import { byId } from "./dom.js";

/** True when the person wants `message` deleted. */
export function askToDelete(message) {
  const dialog = byId("confirm");
  byId("confirm-quote").textContent = message.body.slice(0, 300);
  return new Promise((resolve) => {
    const answer = (yes) => () => dialog.close(yes ? "yes" : "");
    byId("confirm-yes").onclick = answer(true);
    byId("confirm-no").onclick = answer(false);
    dialog.onclose = () => resolve(dialog.returnValue === "yes");
    dialog.returnValue = "";
    dialog.showModal();
    byId("confirm-no").focus();
  });
}
