// The list of projects, as the person's own stream tells of it.
import assert from "node:assert/strict";
import { test } from "node:test";

import { emptyDirectory, orderedProjects, reduceDirectory } from "../../chat/static/chat/directory.js";
import { ADA, event, member } from "./rows.mjs";

const project = (id, name = `project ${id}`) => ({ id, name, description: "", created_at: "" });
const happened = (type, data) => ({ type: "event", frame: event(type, data) });
const run = (...actions) => actions.reduce(reduceDirectory, emptyDirectory());
const listed = (...projects) => ({ type: "snapshot", snapshot: { projects } });
const joined = (id, role) => happened("project_joined", { project: id, member: member(ADA, role) });

test("a project that one makes is there, as its owner", () => {
  const state = run(listed(), happened("project_created", { project: project(1) }), joined(1, "owner"));
  assert.deepEqual(state.projects, [{ ...project(1), role: "owner" }]);
  assert.deepEqual(state.missing, {});
});

test("a project that one was added to waits for its row", () => {
  const waiting = run(listed(), joined(4, "viewer"));
  assert.deepEqual([waiting.projects, waiting.missing], [[], { 4: "viewer" }]);
  const found = reduceDirectory(waiting, { type: "found", project: project(4) });
  assert.deepEqual([found.projects[0].role, found.missing], ["viewer", {}]);
});

test("a row that arrives after one has left again is dropped", () => {
  const state = run(
    listed(),
    joined(4, "viewer"),
    happened("project_left", { project: 4, user: ADA }),
    { type: "found", project: project(4) },
  );
  assert.deepEqual(state.projects, []);
});

test("leaving and deleting take projects away, renaming renames", () => {
  const state = run(
    listed({ ...project(1), role: "owner" }, { ...project(2), role: "member" }, { ...project(3), role: "member" }),
    happened("project_left", { project: 1, user: ADA }),
    happened("project_deleted", { project: 2 }),
    happened("project_updated", { project: project(3, "renamed") }),
    joined(3, "viewer"),
  );
  assert.deepEqual(state.projects, [{ ...project(3, "renamed"), role: "viewer" }]);
});

test("projects are listed by name, without regard to case", () => {
  const state = run(listed(project(1, "beta"), project(2, "Alpha"), project(3, "item 10"), project(4, "item 9")));
  assert.deepEqual(orderedProjects(state).map((row) => row.id), [2, 1, 4, 3]);
});
