// How the words of people become nodes; with the smallest document that element() needs.
import assert from "node:assert/strict";
import { test } from "node:test";

// A fake of the two methods of a document that are used here.
globalThis.document = {
  createElement: (tag) => ({
    tag,
    attributes: {},
    append() {},
    setAttribute(name, value) {
      this.attributes[name] = value;
    },
  }),
};
const { prose } = await import("../../chat/static/chat/view/prose.js");

const shown = (text) =>
  prose(text)
    .filter((part) => part !== "")
    .map((part) => (typeof part === "string" ? part : `${part.tag}:${part.textContent}`));

test("addresses, code and strong words are marked", () => {
  const text = "**Title**: see https://example.org/a?b=1. Run `make run`!";
  const expected = ["strong:Title", ": see ", "a:https://example.org/a?b=1", ". Run ", "code:make run", "!"];
  assert.deepEqual(shown(text), expected);
});

test("only web addresses become links", () => {
  for (const text of ["javascript:alert(1)", "data:text/html,x", "https://", "**", "a ** b", "`"]) {
    assert.deepEqual(shown(text), [text]);
  }
});

test("an address in brackets, or in strong marks, keeps neither", () => {
  assert.deepEqual(shown("(http://a.example/x)"), ["(", "a:http://a.example/x", ")"]);
});

test("marks of what the project has become links where there is something to link to", () => {
  const cited = (kind, id) => (id === 12 ? { tag: "a", textContent: `${kind} ${id}` } : null);
  const parts = prose("see [memory:12], [message:7], [memory:0] and [project:12]", cited);
  const shown = parts.filter((part) => part !== "").map((part) => part.textContent ?? part).join("|");
  assert.equal(shown, "see |memory 12|, |[message:7]|, [memory:0] and [project:12]");
  assert.equal(prose("[memory:12]").join(""), "[memory:12]");
});

test("hostile lengths take no time", () => {
  const started = performance.now();
  for (const text of ["*".repeat(16_000), "`".repeat(16_000), "[memory:".repeat(2_000), `https://${".".repeat(16_000)}`]) prose(text);
  assert.ok(performance.now() - started < 1_000);
});
