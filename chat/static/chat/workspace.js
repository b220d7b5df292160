// The page as a whole: which projects there are, which one is open, and what the address says.
import { emptyDirectory, orderedProjects, reduceDirectory } from "./directory.js";
import { Heeding } from "./heeding.js";
import { acknowledgedIn, noticesFound, withNotice } from "./notices.js";
import { Room } from "./room.js";

/** Rooms kept in memory, so that going back to one is instant; those with unsent words stay. */
const KEPT_ROOMS = 8;

export class Workspace {
  #client;
  #rest;
  #me;
  #address;
  #rooms = new Map();
  #onChange;
  #onEvent;
  #directory = emptyDirectory();
  #finding = new Set();
  #arrived = false;
  #toEveryone = [];
  #aheadMs = 0;
  room = null;

  /**
   * `storage` is the tab's own; `onChange()` follows every change, `onEvent(frame)` every event of the
   * open room.
   */
  constructor({ client, rest, me, address, storage, onChange, onEvent }) {
    this.#client = client;
    this.#rest = rest;
    this.#me = me;
    this.#address = address;
    this.#onChange = onChange;
    this.#onEvent = onEvent;
    this.heeding = new Heeding({ rest, storage, me, onChange });
  }

  get loaded() {
    return this.#directory.loaded;
  }

  get projects() {
    return orderedProjects(this.#directory);
  }

  /** What was written anywhere is still on its way. */
  get busy() {
    return [...this.#rooms.values()].some((room) => room.busy);
  }

  /** What was said to everyone, to this person, and in the open project. */
  get notices() {
    const here = this.room?.state.phase === "open" ? this.room.state.notices : [];
    return [...this.#toEveryone, ...this.#directory.notices, ...here];
  }

  /** In ms since 1970, by the server's clock: its moments are not this machine's. */
  get now() {
    return Date.now() + this.#aheadMs;
  }

  start() {
    this.#client.on("authenticated", ({ server_time: time }) => {
      this.#aheadMs = Date.parse(time) - Date.now();
    });
    const own = `user.${this.#me}`;
    this.#client.subscribe(own, {
      snapshot: true,
      onSnapshot: (snapshot) => this.#listed(snapshot, own),
      onEvent: (frame) => this.#own(frame),
    });
    this.#client.subscribe("system", {
      snapshot: true,
      onSnapshot: (snapshot) => this.#noticed(noticesFound(this.#toEveryone, "system", snapshot?.broadcasts)),
      onEvent: (frame) => this.#noticed(withNotice(this.#toEveryone, frame)),
    });
    this.#address.onMove((projectId) => this.#show(projectId));
    this.#show(this.#address.projectId);
  }

  /** Go to a project, or with null to the list. */
  go(projectId) {
    this.#address.push(projectId);
    this.#show(projectId);
  }

  /** Make a project and go there. Throws Problem. */
  async create(name) {
    const project = await this.#rest.post("/api/projects/", { name });
    this.go(project.id);
  }

  #noticed(notices) {
    if (notices === this.#toEveryone) return;
    this.#toEveryone = notices;
    this.#onChange();
  }

  #own(frame) {
    const acknowledged = acknowledgedIn(frame);
    if (acknowledged !== null) this.heeding.acknowledgedElsewhere(acknowledged);
    this.#list({ type: "event", frame });
  }

  #listed(snapshot, stream) {
    this.heeding.begunAnew();
    this.#list({ type: "snapshot", snapshot, stream });
    // Whoever has one project wants to be in it; but going back to the list is respected.
    const only = this.projects.length === 1 && this.room === null && !this.#arrived;
    this.#arrived = true;
    if (!only) return;
    this.#address.replace(this.projects[0].id);
    this.#show(this.projects[0].id);
  }

  #list(action) {
    this.#directory = reduceDirectory(this.#directory, action);
    for (const id of Object.keys(this.#directory.missing)) this.#find(Number(id));
    this.#onChange();
  }

  /** The row of a project that the person was just added to. */
  async #find(id) {
    if (this.#finding.has(id)) return;
    this.#finding.add(id);
    try {
      const project = await this.#rest.get(`/api/projects/${id}/`);
      this.#list({ type: "found", project });
    } catch (error) {
      console.warn(`project ${id}:`, error.message); // the next event or reload asks again
    } finally {
      this.#finding.delete(id);
    }
  }

  #show(projectId) {
    if (this.room?.projectId === projectId) return;
    this.room?.close();
    this.room = projectId === null ? null : this.#enter(projectId);
    this.room?.open();
    this.#onChange();
  }

  #enter(projectId) {
    const known = this.#rooms.get(projectId);
    this.#rooms.delete(projectId); // and in again below, as the one used last
    const room = known ?? new Room({
      client: this.#client,
      rest: this.#rest,
      projectId,
      me: this.#me,
      onChange: () => this.#onChange(),
      onEvent: (frame) => this.#roomEvent(frame),
    });
    this.#rooms.set(projectId, room);
    for (const [id, other] of this.#rooms) {
      if (this.#rooms.size <= KEPT_ROOMS) break;
      if (other !== room && !other.busy) this.#rooms.delete(id);
    }
    return room;
  }

  #roomEvent(frame) {
    // Said in the project's own stream only; the list wants the new name too.
    if (frame.type === "project_updated") this.#list({ type: "event", frame });
    this.#onEvent(frame);
  }
}
