// All of the page's parts, filled at most once per animation frame however many events arrive.
import { mayWrite } from "../state.js";
import { Composer } from "./composer.js";
import { byId, setText } from "./dom.js";
import { MemoriesView } from "./memories.js";
import { MessagesView } from "./messages.js";
import { PeopleView } from "./people.js";
import { ProjectsView } from "./projects.js";
import { Tabs } from "./tabs.js";

export class Page {
  #workspace;
  #projects;
  #composer;
  #messages;
  #memories = new MemoriesView();
  #people;
  #tabs = new Tabs();
  #room = undefined;
  #frame = null;
  #missed = 0;

  constructor(workspace, me) {
    this.#workspace = workspace;
    this.#projects = new ProjectsView(workspace);
    this.#people = new PeopleView(me);
    this.#composer = new Composer(() => this.#messages.toEnd());
    this.#messages = new MessagesView({
      me,
      composer: this.#composer,
      onRead: () => this.#room?.read(),
    });
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
    for (const part of [this.#composer, this.#messages, this.#memories, this.#people]) part.open(room);
    // After a choice the focus goes where the choice led; on arrival it is left alone.
    if (before !== undefined) byId("room-title").focus({ preventScroll: true });
  }

  #fill(state) {
    const writable = state.phase === "open" && mayWrite(state);
    byId("room").dataset.phase = state.phase;
    setText(byId("nothing-text"), { loading: "Loading…", open: "", ended: state.ending }[state.phase]);
    setText(byId("room-title"), state.project?.name ?? "Project");
    setText(byId("room-about"), state.project?.description ?? "");
    this.#composer.render(state, writable);
    this.#messages.render(state);
    this.#memories.render(state, writable);
    this.#people.render(state);
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
