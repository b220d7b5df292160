// The pane of messages: the list, what is new in it, who types.
import { typists } from "../state.js";
import { askToDelete } from "./confirm.js";
import { byId, element, setText, showText } from "./dom.js";
import { KeyedList } from "./keyed.js";
import { moveFocus, openMenu } from "./menu.js";
import { createRow, fillRow } from "./message_row.js";
import { createRelatedRow, fillRelatedRow } from "./related.js";
import { Scroller } from "./scroller.js";
import { Spoken } from "./spoken.js";
import { timeline } from "./timeline.js";
import { dayName } from "./times.js";

export class MessagesView {
  #me;
  #room = null;
  #composer;
  #onRead;
  #list = byId("message-list");
  #rows;
  #scroller = new Scroller(byId("scroll"), () => this.#looked());
  #spoken = new Spoken(byId("messages-spoken"));
  #newer = byId("newer");
  #unseen = 0;
  #firstKey = null;
  #onChoose;
  #wanted = null;

  /**
   * `me`: {id, name}; `onRead()`: the newest message is in view; `onChoose(id, {byKey})`: a message
   * was chosen, to see what is like it; `relatedActions`: see RelatedPane.
   */
  constructor({ me, composer, onRead, onChoose, relatedActions }) {
    this.#me = me;
    this.#composer = composer;
    this.#onRead = onRead;
    this.#onChoose = onChoose;
    const fillers = {
      day: [createDay, fillDay],
      related: [createRelatedRow, (row, item) => fillRelatedRow(row, item, relatedActions)],
      message: [createRow, (row, item) => fillRow(row, item, this)],
    };
    this.#rows = new KeyedList(this.#list, {
      keyOf: (item) => item.key,
      create: (item) => fillers[sortOf(item)][0](),
      update: (row, item) => fillers[sortOf(item)][1](row, item),
    });
    this.#list.addEventListener("keydown", (event) => this.#keyPressed(event));
    this.#list.addEventListener("click", (event) => this.#clicked(event));
    this.#newer.addEventListener("click", () => this.toEnd());
    byId("messages-older").addEventListener("click", () => this.#older());
    document.addEventListener("visibilitychange", () => this.#looked());
  }

  /** Show another room, or none; what follows is a fresh list, read from its end. */
  open(room) {
    this.#room = room;
    this.#firstKey = null;
    this.#wanted = null;
    this.#unseen = 0;
    this.#rows.render([]);
    showText(byId("messages-problem"), "");
    this.#scroller.toEnd();
  }

  /** `found` (see RelatedFinder) stands below its message where `inList`. */
  render(state, found, inList) {
    const items = timeline(state, this.#me);
    if (inList && found !== null) {
      const at = items.findIndex(({ message }) => message?.id === found.message);
      items.splice(at + 1, 0, { key: "related", related: found });
    }
    const prepended = this.#firstKey !== null && items.some((item, at) => at > 0 && item.key === this.#firstKey);
    this.#firstKey = items.find((item) => !item.day)?.key ?? null;
    this.#scroller.around(() => this.#rows.render(items), { prepended });
    this.#rove();
    this.#mark(found);
    this.#reveal();
    byId("messages-empty").hidden = state.phase !== "open" || items.length > 0;
    const older = byId("messages-older");
    older.hidden = !state.older.messages;
    older.disabled = state.late.messages !== null;
    setText(byId("typing"), typingText(typists(state)));
    this.#looked();
  }

  /** An event that came live: perhaps a message that is out of sight. */
  heard(frame) {
    const { message } = frame.data;
    // What the AI says is read out once, when it is whole.
    const told = message?.kind === "ai" ? "ai_response_generated" : "new_message";
    if (frame.type !== told || message.author?.id === this.#me.id) return;
    this.#spoken.message(message);
    if (!this.#scroller.atEnd) this.#unseen += 1;
  }

  toEnd() {
    this.#scroller.toEnd();
    this.#looked();
  }

  // ---- actions of a row ----

  openMenu(button, item) {
    const { message } = item;
    openMenu(button, [
      { label: "Reply", run: () => this.#composer.reply(message) },
      ...(item.mayEdit ? [{ label: "Edit", run: () => this.#composer.edit(message) }] : []),
      { label: "Who has seen it", run: () => this.#askReceipts(message) },
      { label: "What is like it", run: () => this.#onChoose(message.id, { byKey: true }) },
      ...(item.mayDelete
        ? [{ label: "Delete…", danger: true, run: () => this.#remove(message) }]
        : []),
    ]);
  }

  retry(item) {
    if (item.what === "new") this.#room.retry(item.client_ref);
    else this.#room.retryChange(item.message.id);
  }

  giveUp(item) {
    if (item.what === "new") this.#room.discard(item.client_ref);
    else this.#room.forgetChange(item.message.id);
  }

  stopRun(run) {
    this.#attempt(() => this.#room.answers.stop(run));
  }

  runAgain(run) {
    this.#attempt(() => this.#room.answers.again(run));
  }

  goTo(id) {
    this.#attempt(async () => {
      if (!(await this.show(id))) throw new Error("That message is gone.");
    });
  }

  /** Bring a message into view; false where it is gone. Throws Problem. */
  async show(id) {
    if (!(await this.#room.reach(id))) return false;
    this.#wanted = id;
    this.#reveal(); // or with the next rendering, when it was fetched just now
    return true;
  }

  #reveal() {
    const row = this.#wanted === null ? null : this.#row(this.#wanted);
    if (row === null) return;
    this.#wanted = null;
    this.#scroller.show(row);
    row.classList.remove("found");
    requestAnimationFrame(() => row.classList.add("found"));
  }

  #row(id) {
    return this.#list.querySelector(`[data-message="${id}"]`);
  }

  /** Which message what stands beside it belongs to. */
  #mark(found) {
    const row = found?.chosen ? this.#row(found.message) : null;
    const before = this.#list.querySelector(".message.chosen");
    if (before === row) return;
    before?.classList.remove("chosen");
    row?.classList.add("chosen");
  }

  #clicked(event) {
    const row = event.target.closest(".message");
    const isControl = event.target.closest("a, button, summary, .menu") !== null;
    if (row === null || isControl || getSelection().type === "Range") return;
    if (row.dataset.message !== "") this.#onChoose(Number(row.dataset.message), { byKey: false });
  }

  // ----

  async #remove(message) {
    if (await askToDelete(message)) this.#room.remove(message.id);
  }

  #askReceipts(message) {
    this.#attempt(() => this.#room.askReceipts(message.id));
  }

  #older() {
    this.#attempt(() => this.#room.older("messages"));
  }

  /** Do something that may be refused, and say so then. */
  async #attempt(work) {
    const problem = byId("messages-problem");
    showText(problem, "");
    try {
      await work();
    } catch (error) {
      showText(problem, error.message);
    }
  }

  #looked() {
    if (this.#scroller.atEnd) {
      this.#unseen = 0;
      if (this.#room !== null && document.visibilityState === "visible") this.#onRead();
    }
    this.#newer.hidden = this.#unseen === 0;
    setText(this.#newer, this.#unseen === 1 ? "1 new message" : `${this.#unseen} new messages`);
  }

  /** The whole list is one stop of the Tab key; arrows move between messages. */
  #rove() {
    const buttons = [...this.#list.querySelectorAll(".more")];
    const current = buttons.find((button) => button === document.activeElement) ?? buttons.at(-1);
    for (const button of buttons) button.tabIndex = button === current ? 0 : -1;
  }

  #keyPressed(event) {
    if (!event.target.classList.contains("more")) return;
    if (moveFocus([...this.#list.querySelectorAll(".more")], event.key)) {
      event.preventDefault();
      this.#rove();
    }
  }
}

const sortOf = (item) => (item.day ? "day" : item.related ? "related" : "message");

function createDay() {
  return element("li", { class: "day" }, element("span"));
}

function fillDay(row, item) {
  row.dataset.key = item.key;
  setText(row.firstElementChild, dayName(item.day));
}

function typingText(names) {
  if (names.length === 0) return "";
  if (names.length === 1) return `${names[0]} is typing…`;
  if (names.length === 2) return `${names[0]} and ${names[1]} are typing…`;
  return `${names[0]} and ${names.length - 1} others are typing…`;
}
