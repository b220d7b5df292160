// The page's address: `/` is the list of projects, `/projects/<id>/` a room.

export class Address {
  #window;

  constructor(window) {
    this.#window = window;
  }

  get projectId() {
    const found = /^\/projects\/(\d{1,15})\/$/.exec(this.#window.location.pathname);
    return found === null ? null : Number(found[1]);
  }

  /** `move(projectId)` is called when the person goes back or forward. */
  onMove(move) {
    this.#window.addEventListener("popstate", () => move(this.projectId));
  }

  push(projectId) {
    this.#window.history.pushState(null, "", pathOf(projectId));
  }

  replace(projectId) {
    this.#window.history.replaceState(null, "", pathOf(projectId));
  }
}

export const pathOf = (projectId) => (projectId === null ? "/" : `/projects/${projectId}/`);
