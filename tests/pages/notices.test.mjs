// Broadcasts as the page keeps and arranges them.
import assert from "node:assert/strict";
import { test } from "node:test";

import { maintenanceWords, remaining } from "../../chat/static/chat/countdown.js";
import { emptyDirectory, reduceDirectory } from "../../chat/static/chat/directory.js";
import { Heeding } from "../../chat/static/chat/heeding.js";
import {
  acknowledgedIn, arranged, changesIn, KEPT_NOTICES, noticesFound, phaseOf, SHOWN_BANNERS, showingOf, standing, withNotice,
} from "../../chat/static/chat/notices.js";
import { emptyRoom, reduce } from "../../chat/static/chat/state.js";
import { ADA, event, snapshot } from "./rows.mjs";

const START = Date.parse("2026-01-01T12:00:00.000Z");
const MINUTE = 60_000;
const iso = (minutes) => new Date(START + minutes * MINUTE).toISOString();

/** What the server says of a broadcast; `published_at` is as many minutes after START as its id. */
function said(id, fields = {}) {
  return {
    broadcast: id, title: `title ${id}`, body: `body ${id}`, html: `<p>body ${id}</p>`, level: "info",
    priority: "normal", must_acknowledge: false, author: ADA, published_at: iso(id), expires_at: null, ...fields,
  };
}

const blank = { title: "", body: "", html: "", expired: true };
const message = (id, fields) => event("broadcast_message", said(id, fields));
const maintenance = (id, { on = true, starts_at = null, ends_at = null, ...fields } = {}) =>
  event("maintenance_mode", { on, text: "", starts_at, ends_at, notice: said(id, fields) });
const notification = (id, fields) =>
  event("system_notification", { kind: "notice", text: "", broadcast: id, state: null, notice: said(id, fields) });
const withdrawn = (id) =>
  event("system_notification", { kind: "broadcast", broadcast: id, state: "cancelled", text: "A broadcast was withdrawn." });
const acknowledgedBy = (id) => event("system_notification", {
  kind: "broadcast", broadcast: id, state: "acknowledged", text: "You have acknowledged a broadcast.",
});
const row = ({ type, seq, data }, acknowledged = false) => ({ type, seq, data, acknowledged });
const follow = (held, ...frames) => frames.reduce(withNotice, held);
const found = (...frames) => noticesFound([], "project.1", frames.map((frame) => row(frame)));
const ids = (notices) => notices.map(({ id }) => id);
/** But for `live`, which says where it came from. */
const plain = (notices) => notices.map(({ live: _, ...notice }) => notice);
const unheeded = () => ({ acknowledged: false, away: false });
const [one] = found(message(1));

test("an old snapshot and its events give the fresh snapshot", () => {
  const [first, second, old] = [message(1), notification(2), maintenance(3)];
  const [third, newer, last] = [message(4, { level: "critical", must_acknowledge: true }), maintenance(5), message(6)];
  const held = follow(found(first, second, old), third, newer, withdrawn(1), last, withdrawn(6));
  const fresh = found(second, third, newer);
  assert.deepEqual(plain(held), plain(fresh));
  assert.deepEqual(ids(held), [2, 4, 5]);
});

test("a replay of what has ended meanwhile gives the fresh snapshot, too", () => {
  const [old, newer] = [maintenance(1), maintenance(2, blank)];
  const held = follow(found(old), message(3, blank), newer, withdrawn(3), notification(4, blank));
  assert.deepEqual(held, []);
});

test("what one acknowledged stays, as in the fresh snapshot", () => {
  const [first, second] = [message(1, { must_acknowledge: true }), message(2)];
  const held = follow(found(first, second), acknowledgedBy(1));
  assert.deepEqual(held, noticesFound([], "project.1", [row(first, true), row(second)]));
  assert.equal(follow(held, acknowledgedBy(1), acknowledgedBy(99)), held);
});

test("a broadcast is one notice however often it comes", () => {
  const frame = message(1);
  const held = follow([], frame);
  assert.equal(follow(held, frame), held);
  const again = noticesFound(held, "project.1", [row(frame)]);
  assert.deepEqual(again, held, "a snapshot knows what was said live, so that its toast goes on");
});

test("another broadcast under an id that was given before is another notice", () => {
  const [first, second] = [message(1), message(1, { published_at: iso(90) })];
  assert.notEqual(found(first)[0].key, found(second)[0].key);
});

test("only the newest are kept", () => {
  const frames = Array.from({ length: 3 * KEPT_NOTICES }, (_, at) => message(at + 1));
  assert.deepEqual(ids(follow([], ...frames)), ids(found(...frames)));
  assert.equal(follow([], ...frames).length, KEPT_NOTICES);
});

test("what is about something else changes nothing", () => {
  const held = found(message(1));
  const ended = event("system_notification", { kind: "credentials_ended", text: "", broadcast: null, notice: null });
  assert.equal(follow(held, ended, event("new_message", {}), withdrawn(99)), held);
});

test("rooms and the person's own stream have theirs", () => {
  const [stood, came] = [message(1), message(2)];
  const room = [
    { type: "snapshot", snapshot: snapshot({ broadcasts: [row(stood)] }) }, { type: "event", frame: came },
  ].reduce(reduce, emptyRoom(ADA.id));
  assert.deepEqual(room.notices.map(({ id, stream }) => [id, stream]), [[1, "project.1"], [2, "project.1"]]);
  const directory = [
    { type: "snapshot", stream: "user.1", snapshot: { projects: [], broadcasts: [row(stood, true)] } },
    { type: "event", frame: came },
  ].reduce(reduceDirectory, emptyDirectory());
  assert.deepEqual(directory.notices.map(({ id, acknowledged }) => [id, acknowledged]), [[1, true], [2, false]]);
});

test("one that has expired is not shown, to the millisecond", () => {
  const held = found(message(1), message(2, { expires_at: iso(10) }));
  assert.deepEqual(ids(standing(held, START + 10 * MINUTE - 1)), [2, 1]);
  assert.deepEqual(ids(standing(held, START + 10 * MINUTE)), [1]);
});

test("a message that comes is a toast; one that stood before is in the tray only", () => {
  const live = follow([], message(1));
  assert.deepEqual(ids(arranged(live, START, unheeded).toasts), [1]);
  assert.deepEqual(arranged(found(message(1)), START, unheeded), { banners: [], more: 0, toasts: [] });
  assert.deepEqual(arranged(live, START, () => ({ acknowledged: false, away: true })).toasts, []);
});

test("warnings, maintenance, and what is to be acknowledged are banners, wherever they come from", () => {
  const asking = message(3, { must_acknowledge: true });
  const held = found(message(1, { level: "warning" }), maintenance(2), asking, message(4, { level: "success" }));
  const shown = arranged(standing(held, START), START, unheeded);
  assert.deepEqual(shown.banners.map(({ notice, asks }) => [notice.id, asks]), [[3, true], [2, false], [1, false]]);
  const away = arranged(held, START, () => ({ acknowledged: false, away: true }));
  assert.deepEqual(away.banners.map(({ notice }) => notice.id), [3], "what must be acknowledged cannot be put away");
  const done = arranged(held, START, () => ({ acknowledged: true, away: true }));
  assert.deepEqual(done.banners, []);
});

test("there is room for a few banners, critical ones first; the others are counted", () => {
  const frames = Array.from({ length: SHOWN_BANNERS + 2 }, (_, at) => message(at + 1, { level: at === 0 ? "critical" : "warning" }));
  const { banners, more } = arranged(standing(found(...frames), START), START, unheeded);
  assert.deepEqual([banners[0].notice.id, banners.length, more], [1, SHOWN_BANNERS, 2]);
});

test("maintenance is told before, during and when it lasts longer; each is another showing", () => {
  const [notice] = found(maintenance(1, { starts_at: iso(30), ends_at: iso(90), expires_at: iso(120) }));
  const at = (minutes) => phaseOf(notice, START + minutes * MINUTE);
  assert.deepEqual([at(0), at(30), at(89), at(90)], ["before", "during", "during", "overdue"]);
  assert.notEqual(showingOf(notice, START), showingOf(notice, START + 30 * MINUTE));
  assert.match(maintenanceWords(notice, "before", START), /^Begins in 30 min, at .*, until /);
  const [over] = found(maintenance(1, { on: false }));
  assert.deepEqual([phaseOf(over, START), maintenanceWords(over, null, START)], [null, ""]);
});

test("the wait is in words that end with it", () => {
  const [s, h] = [1_000, 3_600_000];
  const told = [1, 9 * s, 250 * s, 600 * s, 601 * s, 3 * h + 20 * MINUTE, 40 * h, 72 * h].map(remaining);
  assert.deepEqual(told, ["1 s", "9 s", "4 min 10 s", "10 min", "11 min", "3 h 20 min", "40 h", "3 days"]);
});

test("the page looks again when something changes, each second near a start, else each minute", () => {
  assert.equal(changesIn([one], START), MINUTE);
  assert.equal(changesIn(found(message(1, { expires_at: iso(0.5) })), START), MINUTE / 2);
  const soon = found(maintenance(1, { starts_at: iso(5) }));
  assert.equal(changesIn(soon, START + 300), 700);
  assert.equal(changesIn(soon, START + 6 * MINUTE), MINUTE, "under way");
});

class FakeStorage {
  /** A tab's own storage. */
  held = new Map();
  getItem(name) {
    return this.held.get(name) ?? null;
  }
  setItem(name, text) {
    this.held.set(name, text);
  }
}

function heedingOf({ storage = new FakeStorage(), post = async () => ({}) } = {}) {
  const asked = [];
  const rest = { post: (path) => (asked.push(path), post()) };
  let changes = 0;
  const heeding = new Heeding({ rest, storage, me: 1, onChange: () => (changes += 1) });
  return { heeding, asked, changes: () => changes };
}

test("an acknowledgement that failed says why and can be tried again", async () => {
  const answers = [Promise.reject(new Error("the server could not be reached")), Promise.resolve({})];
  const { heeding, asked } = heedingOf({ post: () => answers.shift() });
  await heeding.acknowledge(one);
  const { acknowledged, sending, error } = heeding.of(one);
  assert.deepEqual([acknowledged, sending, error], [false, false, "the server could not be reached"]);
  await heeding.acknowledge(one);
  assert.deepEqual(heeding.of(one), { acknowledged: true, sending: false, error: "", away: true, read: true });
  assert.deepEqual(asked, Array(2).fill("/api/websocket/broadcast/1/acknowledge"));
});

test("what was acknowledged in another tab is done here, in whatever stream it stands", () => {
  const { heeding, changes } = heedingOf();
  const [asking, during] = found(
    message(1, { must_acknowledge: true, level: "critical" }), maintenance(2, { must_acknowledge: true }));
  assert.equal(arranged([asking], START, (notice) => heeding.of(notice)).banners.length, 1);
  for (const id of [1, 2]) heeding.acknowledgedElsewhere(acknowledgedIn(acknowledgedBy(id)));
  assert.equal(changes(), 2);
  assert.deepEqual(heeding.of(asking), { acknowledged: true, sending: false, error: "", away: true, read: true });
  const shown = arranged([asking, during], START, (notice) => heeding.of(notice)).banners;
  assert.deepEqual(shown.map(({ notice, asks }) => [notice.id, asks]), [[2, false]], "maintenance is shown on");
  heeding.begunAnew();
  assert.equal(heeding.of(asking).acknowledged, false);
  assert.deepEqual([withdrawn(1), message(1)].map(acknowledgedIn), [null, null]);
});

test("what a snapshot says is acknowledged is no banner in a new tab", () => {
  const [asked] = noticesFound([], "project.1", [row(message(1, { must_acknowledge: true, level: "warning" }), true)]);
  assert.deepEqual(arranged([asked], START, (notice) => heedingOf().heeding.of(notice)).banners, []);
});

test("a second press while one is under way asks nothing", async () => {
  const { heeding, asked } = heedingOf();
  await Promise.all([heeding.acknowledge(one), heeding.acknowledge(one)]);
  assert.equal(asked.length, 1);
});

test("a reload keeps what was put away and read; another tab or person has nothing of it", () => {
  const storage = new FakeStorage();
  heedingOf({ storage }).heeding.putAway(one, one.key, { byHand: true });
  const { away, read } = heedingOf({ storage }).heeding.of(one);
  assert.deepEqual([away, read], [true, true]);
  assert.equal(heedingOf().heeding.of(one).away, false);
  const other = new Heeding({ rest: null, storage, me: 2, onChange: () => {} });
  assert.equal(other.of(one).away, false);
});

test("a toast whose time is over is not read", () => {
  const { heeding } = heedingOf();
  heeding.putAway(one, one.key, { byHand: false });
  assert.deepEqual([heeding.of(one).away, heeding.of(one).read], [true, false]);
});

test("what is kept of notices is bounded, and nonsense in the storage does no harm", () => {
  const storage = new FakeStorage();
  storage.setItem("notices.1", "{nonsense");
  const { heeding, changes } = heedingOf({ storage });
  const many = Array.from({ length: 500 }, (_, at) => ({ ...one, key: `${at}@x` }));
  heeding.read(many);
  assert.equal(JSON.parse(storage.getItem("notices.1")).read.length, 200);
  assert.equal(changes(), 1);
  heeding.read(many.slice(-5));
  assert.equal(changes(), 1, "nothing is told where nothing changed");
});
