// All of the page's parts, filled at most once per animation frame however many events arrive.
import { isGone } from "../insights.js";
import { mayWrite } from "../state.js";
import { followCitations } from "./citing.js";
import { Composer } from "./composer.js";
import { byId, setText, showText } from "./dom.js";
import { FeedView } from "./feed.js";
import { MemoriesView } from "./memories.js";
import { MessagesView } from "./messages.js";
import { NoticesView } from "./notices.js";
import { PeopleView } from "./people.js";
import { ProjectsView } from "./projects.js";
import { RelatedFinder, RelatedPane } from "./related.js";
import { SummaryView } from "./summary.js";
import { Tabs } from "./tabs.js";
import { narrow } from "./width.js";

/** So often what depends on the time ("expires tomorrow") is written anew. */
const CLOCK_MS = 60_000;

export class Page {
  #workspace;
  #projects;
  #composer;
  #messages;
  #memories;
  #people;
  #summary = new SummaryView();
  #feed = new FeedView();
  #notices;
  #finder = new RelatedFinder();
  #related;
  #chosen = null;
  #tabs = new Tabs();
  #room = undefined;
  #frame = null;
  #missed = 0;

  constructor(workspace, me) {
    this.#workspace = workspace;
    this.#projects = new ProjectsView(workspace);
    this.#people = new PeopleView(me);
    this.#notices = new NoticesView(workspace.heeding, () => this.changed());
    this.#composer = new Composer(() => this.#messages.toEnd());
    const deciding = {
      accept: (memory) => this.#room.keeping.accept(memory),
      discard: (memory) => this.#room.keeping.discard(memory),
    };
    const relatedActions = {
      ...deciding, unchoose: () => this.#choose(null), search: (text) => this.#search(text),
    };
    this.#memories = new MemoriesView(() => this.changed(), deciding);
    this.#related = new RelatedPane(relatedActions);
    this.#messages = new MessagesView({
      me,
      composer: this.#composer,
      onRead: () => this.#room?.read(),
      onChoose: (message, { byKey }) => this.#choose(message, byKey),
      relatedActions,
    });
    followCitations(
      (kind, id) => (kind === "memory" ? this.#showMemory(id) : this.#showMessage(id)),
      (error) => showText(byId("messages-problem"), error.message),
    );
    narrow.addEventListener("change", () => this.changed());
    setInterval(() => this.changed(), CLOCK_MS);
    for (const link of document.querySelectorAll("[data-go-home]")) {
      link.addEventListener("click", (event) => this.#goHome(event));
    }
    document.addEventListener("visibilitychange", () => this.#seen());
  }

  /** Something changed: show it with the next frame. */
  changed() {
    this.#frame ??= requestAnimationFrame(() => {
      this.#frame = null;
      this.#render();
    });
  }

  heard(frame) {
    this.#messages.heard(frame);
    if (frame.type === "new_message" && document.visibilityState === "hidden") {
      this.#missed += 1;
      this.#title(); // frames do not run in a hidden tab, but its title is what is looked at
    }
  }

  #render() {
    const { room } = this.#workspace;
    if (room !== this.#room) this.#open(room);
    this.#projects.render();
    this.#notices.render(this.#workspace.notices, this.#workspace.now);
    if (room !== null) this.#fill(room.state);
    this.#title();
  }

  #open(room) {
    const before = this.#room;
    this.#room = room;
    document.body.dataset.view = room === null ? "projects" : "room";
    byId("room").dataset.phase = room === null ? "none" : room.state.phase;
    setText(byId("nothing-text"), "Choose a project, or make a new one.");
    setText(byId("room-title"), "Workspace");
    setText(byId("room-about"), "");
    if (room !== null) this.#tabs.choose("messages");
    this.#chosen = null;
    const parts = [this.#composer, this.#messages, this.#memories, this.#people, this.#summary, this.#feed];
    for (const part of parts) part.open(room);
    // After a choice the focus goes where the choice led; on arrival it is left alone.
    if (before !== undefined) byId("room-title").focus({ preventScroll: true });
  }

  #fill(state) {
    const writable = state.phase === "open" && mayWrite(state);
    byId("room").dataset.phase = state.phase;
    setText(byId("nothing-text"), { loading: "Loading…", open: "", ended: state.ending }[state.phase]);
    setText(byId("room-title"), state.project?.name ?? "Project");
    setText(byId("room-about"), state.project?.description ?? "");
    const found = this.#finder.find(state, this.#chosen);
    this.#summary.render(state);
    this.#feed.render(state);
    this.#composer.render(state, writable);
    this.#messages.render(state, found, narrow.matches);
    this.#related.render(narrow.matches ? null : found);
    this.#memories.render(state, writable);
    this.#people.render(state);
  }

  /** Show what is like a message, or with null what is like the one that is spoken about. */
  #choose(message, byKey = false) {
    this.#chosen = message === this.#chosen ? null : message;
    if (!byKey) return this.changed();
    this.#render(); // at once: the focus goes to what is shown
    if (!narrow.matches) this.#related.focus();
    else document.querySelector(".related-row summary")?.focus();
  }

  #search(text) {
    this.#tabs.choose("memories");
    this.#memories.search(text);
  }

  /** False where it is gone; the same for the next. Throws Problem. */
  async #showMemory(id) {
    const room = this.#room;
    const held = room.state.memories.some((memory) => memory.id === id);
    if (!held && (isGone(room.state, id) || !(await room.keeping.fetch(id)))) return false;
    if (room !== this.#room) return true;
    this.#tabs.choose("memories");
    this.#memories.reveal(id);
    return true;
  }

  #showMessage(id) {
    this.#tabs.choose("messages");
    return this.#messages.show(id);
  }

  #title() {
    const name = this.#workspace.room?.state.project?.name;
    const missed = this.#missed > 0 ? `(${this.#missed}) ` : "";
    document.title = `${missed}${name === undefined ? "" : `${name} · `}Workspace`;
  }

  #seen() {
    if (document.visibilityState !== "visible") return;
    this.#missed = 0;
    this.changed();
  }

  #goHome(event) {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    this.#workspace.go(null);
  }
}
