// The list of this person's projects: a pure function of their own stream, `user.<id>`.
import { noticesFound, withNotice } from "./notices.js";

/**
 * `projects`: rows of the wire with `role`. `missing`: roles, by id, of projects that the person
 * has joined and whose row is still to be fetched (the event of joining does not carry it). `notices`: to this person, see notices.js.
 */
export function emptyDirectory() {
  return { loaded: false, projects: [], missing: {}, notices: [] };
}

export function reduceDirectory(state, action) {
  return ACTIONS[action.type]?.(state, action) ?? state;
}

const ACTIONS = {
  snapshot: ({ notices }, { snapshot, stream }) => ({
    loaded: true,
    projects: snapshot.projects,
    missing: {},
    notices: noticesFound(notices, stream, snapshot.broadcasts),
  }),
  event: (state, { frame }) => {
    const notices = withNotice(state.notices, frame);
    const held = notices === state.notices ? state : { ...state, notices };
    return EVENTS[frame.type]?.(held, frame.data) ?? held;
  },
  found: (state, { project }) => {
    const role = state.missing[project.id];
    if (role === undefined) return state; // they left again meanwhile
    return withProject({ ...state, missing: without(state.missing, project.id) }, { ...project, role });
  },
};

const EVENTS = {
  project_created: (state, { project }) => withProject(state, { ...project, role: "owner" }),
  project_updated: (state, { project }) => changed(state, project.id, project),
  project_joined: (state, { project, member }) => {
    if (state.projects.some((row) => row.id === project)) {
      return changed(state, project, { role: member.role });
    }
    return { ...state, missing: { ...state.missing, [project]: member.role } };
  },
  project_left: (state, { project }) => withoutProject(state, project),
  project_deleted: (state, { project }) => withoutProject(state, project),
};

function withProject(state, project) {
  const others = state.projects.filter((row) => row.id !== project.id);
  return { ...state, projects: [...others, project] };
}

function changed(state, id, fields) {
  const projects = state.projects.map((row) => (row.id === id ? { ...row, ...fields } : row));
  return { ...state, projects };
}

function withoutProject(state, id) {
  const projects = state.projects.filter((row) => row.id !== id);
  return { ...state, projects, missing: without(state.missing, id) };
}

function without(entries, key) {
  const { [key]: _, ...rest } = entries;
  return rest;
}

/** By name, as people look for them. */
export function orderedProjects(state) {
  const compare = new Intl.Collator(undefined, { sensitivity: "base", numeric: true }).compare;
  return [...state.projects].sort((a, b) => compare(a.name, b.name) || a.id - b.id);
}
