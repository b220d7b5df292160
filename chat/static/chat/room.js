// One open project: its subscription, its state, and what this person does in it.
import { newClientRef } from "../realtime/environment.js";
import { Answers } from "./answers.js";
import { Keeping } from "./keeping.js";
import { Pages } from "./pages.js";
import { ReadMarks } from "./reads.js";
import { ReceiptWatch } from "./receipts.js";
import { emptyRoom, newestHeard, newestOwn, reduce, TYPING_MS, typists } from "./state.js";
import { TypingNotice } from "./typing.js";

/** A project that does not exist and one of others are answered alike. */
const NOT_THEIRS = new Set(["forbidden", "not_found"]);

/** Of the newest events a fresh page reads what the context engine said. */
const RECALLED_EVENTS = 100;
/** Pages of older messages that are fetched to get to one. */
const REACHED_PAGES = 20;

export class Room {
  #client;
  #rest;
  #subscription = null;
  #project;
  #position = null;
  #me;
  #onChange;
  #onEvent;
  #pages;
  #typing;
  #reads;
  #receipts;
  #expiry = null;

  /**
   * `me` is the person's id; while open, `onChange()` follows every change of the state and
   * `onEvent(frame)` every event that came live or in a replay.
   */
  constructor({ client, rest, projectId, me, onChange, onEvent }) {
    this.#client = client;
    this.#rest = rest;
    this.projectId = projectId;
    this.#project = `/api/projects/${projectId}/`;
    this.stream = `project.${projectId}`;
    this.#me = me;
    this.state = emptyRoom(me);
    this.#onChange = onChange;
    this.#onEvent = onEvent;
    const dispatch = (action) => this.#dispatch(action);
    this.answers = new Answers(client, rest, this.#project, dispatch);
    this.keeping = new Keeping(rest, this.#project, dispatch);
    this.#pages = new Pages(rest, this.#path("messages"), this.#path("memories"));
    this.#typing = new TypingNotice((on) => this.#quietly("typing", { on }));
    this.#reads = new ReadMarks((seq) => this.#quietly("mark_read", { seq }));
    this.#receipts = new ReceiptWatch((message) => this.#watchedReceipts(message));
  }

  /** Something was written here that the server has not confirmed: the room must be kept. */
  get busy() {
    return this.state.pending.length > 0 || Object.keys(this.state.changes).length > 0;
  }

  /** Follow the project; a room that was open before goes on from where its state stands. */
  open() {
    if (this.state.phase === "ended") {
      this.state = { ...emptyRoom(this.#me), pending: this.state.pending };
      this.#position = null;
    }
    this.#subscription = this.#client.subscribe(this.stream, {
      snapshot: true,
      since: this.#position,
      onSnapshot: (snapshot, info) => this.#snapshot(snapshot, info),
      onEvent: (frame) => this.#event(frame),
      onSignal: (frame) => this.#signal(frame),
      onPresence: (users) => this.#dispatch({ type: "presence", users }),
      onLeft: (frame) => this.#dispatch({ type: "ended", ending: endingOf(frame) }),
    });
    this.#receipts.watch(newestOwn(this.state)?.id ?? null);
  }

  /** Stop following; what is being sent is still sent, and its outcome noted. */
  close() {
    clearTimeout(this.#expiry);
    this.#typing.stop();
    this.#reads.pause();
    this.#receipts.stop();
    this.#position = this.#subscription.position;
    this.#subscription.unsubscribe().catch((error) => console.warn("unsubscribe:", error.message));
    this.#subscription = null;
    this.#dispatch({ type: "expire", now: Infinity });
    this.#dispatch({ type: "presence", users: null });
  }

  // ---- messages ----

  send(body, replyTo = null) {
    const entry = {
      client_ref: newClientRef(),
      body,
      reply_to: replyTo,
      created_at: new Date().toISOString(),
    };
    this.#typing.sent();
    this.#post(entry);
  }

  /** Try a message again that was not sent; under its old reference, so it cannot be doubled. */
  retry(clientRef) {
    const entry = this.state.pending.find((other) => other.client_ref === clientRef);
    if (entry !== undefined) this.#post(entry);
  }

  discard(clientRef) {
    this.#dispatch({ type: "discard", client_ref: clientRef });
  }

  edit(message, body) {
    this.#change(message, { kind: "edit", body, client_ref: newClientRef() });
  }

  remove(message) {
    this.#change(message, { kind: "delete", client_ref: newClientRef() });
  }

  retryChange(message) {
    const change = this.state.changes[message];
    if (change !== undefined) this.#change(message, change);
  }

  forgetChange(message) {
    this.#dispatch({ type: "forget", message });
  }

  /** Keys were pressed; `text` is what stands in the composer now. */
  typed(text) {
    if (text.trim() === "") this.#typing.stop();
    else this.#typing.pressed();
  }

  stopTyping() {
    this.#typing.stop();
  }

  /** The newest message is in view of a person who looks. */
  read() {
    this.#reads.reached(Math.max(newestHeard(this.state), this.#reads.snapshotHead));
    const held = this.state.messages.length;
    this.#dispatch({ type: "trim" });
    if (this.state.messages.length < held) this.#pages.restart("messages");
  }

  /** Show who has received and read a message. Throws Problem. */
  async askReceipts(message) {
    const found = await this.#rest.get(`${this.#path("messages")}${message}/receipts/`);
    const ids = (rows) => rows.map(({ user }) => user.id);
    const [received, read] = [ids(found.received), ids(found.read)];
    this.#dispatch({ type: "receipts", message, received, read });
    return received.length >= this.state.people.length - 1;
  }

  // ---- lists ----

  /** Fetch the page before what is held of "messages" or "memories". Throws Problem. */
  async older(list) {
    if (this.state.late[list] !== null) return;
    this.#dispatch({ type: "fetching", list });
    try {
      const page = await this.#pages.older(list, () => this.state[list]);
      this.#dispatch({ type: "fetched", list, ...page });
    } catch (error) {
      this.#dispatch({ type: "unfetched", list });
      throw error;
    }
  }

  /** Fetch as many older messages as it takes; whether the message is there. Throws Problem, Error. */
  async reach(message) {
    for (let page = 0; page < REACHED_PAGES; page += 1) {
      const { messages, older, late } = this.state;
      if (messages.some(({ id }) => id === message)) return true;
      if (!older.messages || messages[0].id < message) return false;
      if (late.messages !== null) throw new Error("Earlier messages are on their way; try again.");
      await this.older("messages");
    }
    throw new Error("That message is too far back to be shown here.");
  }

  /** Add a person by user name, or change their role. Throws Problem. */
  async invite(user, role) {
    await this.#rest.post(this.#path("members"), { user, role });
  }

  // ---- what the server says ----

  #snapshot(snapshot, info) {
    if (snapshot === null) return;
    this.#pages.restart("messages");
    this.#pages.restart("memories");
    const mark = snapshot.reads[this.#me] ?? 0;
    this.#reads.restart(mark, lastIsOthers(snapshot, this.#me) ? info.head : 0);
    this.#dispatch({ type: "snapshot", snapshot, runs: info.runs });
    this.#recall(info.head);
  }

  /** What the context engine said up to the snapshot, of which the snapshot has nothing. */
  async #recall(head) {
    const fields = { stream: this.stream, before: head + 1, limit: RECALLED_EVENTS };
    try {
      const { events } = await this.#client.command("history", fields);
      this.#dispatch({ type: "recalled", events });
    } catch (error) {
      console.debug("history:", error.message);
    }
  }

  #event(frame) {
    this.#dispatch({ type: "event", frame });
    if (frame.type === "message_read") this.#receipts.again();
    this.#onEvent(frame);
  }

  #signal(frame) {
    this.#dispatch({ type: "signal", frame, now: Date.now() });
    if (frame.type === "ai_processing_progress") this.answers.fillHoles(this.state.runs);
    clearTimeout(this.#expiry);
    if (typists(this.state).length === 0) return;
    this.#expiry = setTimeout(() => this.#expire(), TYPING_MS / 6);
  }

  #expire() {
    this.#dispatch({ type: "expire", now: Date.now() });
    if (typists(this.state).length === 0) return;
    this.#expiry = setTimeout(() => this.#expire(), TYPING_MS / 6);
  }

  // ---- what the person does ----

  async #post(entry) {
    const { client_ref, body, reply_to } = entry;
    this.#dispatch({ type: "sending", ...entry });
    try {
      const extra = reply_to === null ? { client_ref } : { client_ref, reply_to };
      const { message, seq } = await this.#client.sendMessage(this.stream, body, extra);
      this.#dispatch({ type: "sent", message, seq });
    } catch (error) {
      this.#dispatch({ type: "failed", client_ref, error: error.message });
    }
  }

  async #change(message, change) {
    const { kind, body, client_ref } = change;
    this.#dispatch({ type: "changing", message, change });
    try {
      const fields = kind === "edit" ? { message, body, client_ref } : { message, client_ref };
      const reply = await this.#client.command(`${kind}_message`, fields);
      this.#dispatch({ type: "changed", message: reply.message });
    } catch (error) {
      this.#dispatch({ type: "unchanged", message, error: error.message });
    }
  }

  /** Commands that nobody waits for: typing and read marks are told again with the next occasion. */
  #quietly(cmd, fields) {
    if (!this.#subscription?.live) return;
    this.#client
      .command(cmd, { stream: this.stream, ...fields })
      .catch((error) => console.debug(`${cmd}:`, error.message));
  }

  async #watchedReceipts(message) {
    if (!this.#subscription?.live) return false; // away, or signed out
    try {
      return await this.askReceipts(message);
    } catch (error) {
      console.debug("receipts:", error.message);
      return false;
    }
  }

  #dispatch(action) {
    const before = this.state;
    this.state = reduce(before, action);
    if (this.#subscription !== null && this.state.messages !== before.messages) {
      this.#receipts.watch(newestOwn(this.state)?.id ?? null);
    }
    if (this.state !== before && this.#subscription !== null) this.#onChange();
  }

  #path(part) {
    return `${this.#project}${part}/`;
  }
}

function endingOf(frame) {
  if (frame.type === "subscribe_refused") {
    return NOT_THEIRS.has(frame.error.code)
      ? "There is no such project, or you are not a member of it."
      : frame.error.message;
  }
  return frame.data?.reason === "deleted"
    ? "This project was deleted."
    : "You are no longer a member of this project.";
}

function lastIsOthers({ messages }, me) {
  const last = messages.at(-1);
  return last !== undefined && last.author?.id !== me;
}
