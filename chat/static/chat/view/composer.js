// Where messages are written: new ones, replies and edits.
import { byId, setText } from "./dom.js";

export class Composer {
  #form = byId("composer");
  #body = byId("composer-body");
  #send = byId("composer-send");
  #context = byId("composer-context");
  #room = null;
  #drafts = new WeakMap();
  #mode = { kind: "new", message: null };
  #onSent;

  /** `onSent()`: something was sent, and should be in view. */
  constructor(onSent) {
    this.#onSent = onSent;
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
    this.#body.addEventListener("keydown", (event) => this.#keyPressed(event));
    this.#body.addEventListener("input", () => this.#typed());
    this.#body.addEventListener("blur", () => this.#room?.stopTyping());
    byId("composer-cancel").addEventListener("click", () => this.#cancel());
  }

  /** Write in another room; what stood here is kept for when the person comes back. */
  open(room) {
    if (this.#room !== null) this.#drafts.set(this.#room, { text: this.#body.value, mode: this.#mode });
    this.#room = room;
    const draft = this.#drafts.get(room) ?? { text: "", mode: { kind: "new", message: null } };
    this.#body.value = draft.text;
    this.#show(draft.mode);
  }

  render({ phase }, writable) {
    this.#form.hidden = !writable;
    byId("read-only").hidden = writable || phase !== "open";
  }

  focus() {
    this.#body.focus();
  }

  reply(message) {
    if (this.#mode.kind === "edit") this.#body.value = "";
    this.#show({ kind: "reply", message });
    this.#body.focus();
  }

  edit(message) {
    this.#body.value = message.body;
    this.#show({ kind: "edit", message });
    this.#body.focus();
  }

  #show(mode) {
    this.#mode = mode;
    this.#context.hidden = mode.kind === "new";
    const excerpt = mode.message?.body.slice(0, 120) ?? "";
    const text = { new: "", edit: "Editing your message", reply: `Reply to ${mode.message?.author?.name ?? "message"}: ${excerpt}` };
    setText(byId("composer-context-text"), text[mode.kind]);
    setText(this.#send, mode.kind === "edit" ? "Save" : "Send");
    this.#grow();
  }

  #cancel() {
    if (this.#mode.kind === "edit") this.#body.value = "";
    this.#show({ kind: "new", message: null });
    this.#body.focus();
  }

  #keyPressed(event) {
    // While an input method is composing, Enter chooses a word.
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      this.#submit();
    } else if (event.key === "Escape" && this.#mode.kind !== "new") this.#cancel();
  }

  #typed() {
    this.#grow();
    if (this.#mode.kind !== "edit") this.#room?.typed(this.#body.value);
  }

  #submit() {
    const body = this.#body.value.trim();
    if (body === "" || this.#room === null) return;
    const { kind, message } = this.#mode;
    if (kind === "edit") this.#room.edit(message.id, body);
    else this.#room.send(body, message?.id ?? null);
    this.#body.value = "";
    this.#show({ kind: "new", message: null });
    if (kind !== "edit") this.#onSent();
  }

  /** As high as its text; where CSS can do that by itself (field-sizing), it does. */
  #grow() {
    if (CSS.supports("field-sizing", "content")) return;
    this.#body.style.height = "auto";
    this.#body.style.height = `${this.#body.scrollHeight}px`;
  }
}
