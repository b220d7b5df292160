// The list of projects beside the room.
import { pathOf } from "../address.js";
import { byId, element, setText, showText } from "./dom.js";
import { submitting } from "./forms.js";
import { KeyedList } from "./keyed.js";

export class ProjectsView {
  #workspace;
  #rows;

  constructor(workspace) {
    this.#workspace = workspace;
    this.#rows = new KeyedList(byId("project-list"), {
      keyOf: ({ project }) => String(project.id),
      create: () => element("li", {}, element("a", { class: "project" })),
      update: fillProject,
    });
    byId("project-list").addEventListener("click", (event) => this.#clicked(event));
    submitting(byId("new-project"), ({ name }) => workspace.create(name));
  }

  render() {
    const { projects, loaded, room } = this.#workspace;
    const current = room?.projectId ?? null;
    this.#rows.render(projects.map((project) => ({ project, current: project.id === current })));
    const empty = loaded ? "You are in no project yet. Make one, or ask to be added." : "Loading your projects…";
    showText(byId("projects-empty"), projects.length > 0 ? "" : empty);
  }

  #clicked(event) {
    const link = event.target.closest("a.project");
    // With a modifier the person wants a tab or a window of its own, which the address provides.
    if (link === null || event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return;
    event.preventDefault();
    this.#workspace.go(Number(link.dataset.project));
  }
}

function fillProject(row, { project, current }) {
  row.dataset.key = String(project.id);
  const link = row.firstElementChild;
  link.href = pathOf(project.id);
  link.dataset.project = String(project.id);
  setText(link, project.name);
  if (current) link.setAttribute("aria-current", "page");
  else link.removeAttribute("aria-current");
}
