// What this person did with notices: put away, read, acknowledged. Of this tab: a reload keeps it, in
// the tab's own storage and under the person's id; nothing of it says where a stream stands.

/** Notices remembered; what was done with older ones is forgotten. */
const REMEMBERED = 200;

export class Heeding {
  #rest;
  #storage;
  #name;
  #onChange;
  #away;
  #read;
  #acknowledging = new Map();
  #elsewhere = new Set();

  /** `storage` is a Storage; `me` the person's id; `onChange()` follows every change. */
  constructor({ rest, storage, me, onChange }) {
    this.#rest = rest;
    this.#storage = storage;
    this.#name = `notices.${me}`;
    this.#onChange = onChange;
    const { away, read } = this.#stored();
    this.#away = new Set(away);
    this.#read = new Set(read);
  }

  /** `{acknowledged, sending, error, away, read}` of a notice; `showing` as in notices.js. */
  of(notice, showing = notice.key) {
    const { state = "", error = "" } = this.#acknowledging.get(notice.key) ?? {};
    const acknowledged = notice.acknowledged || state === "done" || this.#elsewhere.has(notice.id);
    // Maintenance is shown on, and can be put away like any other.
    const settled = acknowledged && notice.maintenance === null;
    return {
      acknowledged,
      sending: state === "sending",
      error: acknowledged ? "" : error,
      away: settled || this.#away.has(showing),
      read: acknowledged || this.#read.has(notice.key),
    };
  }

  /** It was acknowledged on another device, or in another tab of this one; or here. */
  acknowledgedElsewhere(id) {
    remember(this.#elsewhere, id);
    this.#onChange();
  }

  /** The person's own stream begins anew, perhaps in a restored database, where ids are given again. */
  begunAnew() {
    this.#elsewhere.clear();
  }

  /** Not shown any more; by a person's hand it is read, too. */
  putAway(notice, showing, { byHand }) {
    remember(this.#away, showing);
    if (byHand) remember(this.#read, notice.key);
    this.#changed();
  }

  read(notices) {
    const unread = notices.filter(({ key }) => !this.#read.has(key));
    if (unread.length === 0) return;
    for (const { key } of unread) remember(this.#read, key);
    this.#changed();
  }

  /** Say that it was read. What goes wrong stands in `of(notice).error`, and can be tried again. */
  async acknowledge(notice) {
    if (this.#acknowledging.get(notice.key)?.state === "sending") return;
    this.#answer(notice, { state: "sending", error: "" });
    try {
      await this.#rest.post(`/api/websocket/broadcast/${notice.id}/acknowledge`, {});
      this.#answer(notice, { state: "done", error: "" });
    } catch (error) {
      this.#answer(notice, { state: "failed", error: error.message });
    }
  }

  #answer({ key }, answer) {
    this.#acknowledging.delete(key);
    this.#acknowledging.set(key, answer);
    forgetOldest(this.#acknowledging);
    this.#onChange();
  }

  #stored() {
    try {
      const { away, read } = JSON.parse(this.#storage.getItem(this.#name) ?? "{}");
      return { away: Array.isArray(away) ? away : [], read: Array.isArray(read) ? read : [] };
    } catch (error) {
      console.debug(`${this.#name}:`, error.message); // of another version, or storage is forbidden
      return { away: [], read: [] };
    }
  }

  #changed() {
    try {
      this.#storage.setItem(this.#name, JSON.stringify({ away: [...this.#away], read: [...this.#read] }));
    } catch (error) {
      console.debug(`${this.#name}:`, error.message); // full or forbidden: it holds until a reload
    }
    this.#onChange();
  }
}

/** Add to a Set that does not grow without end. */
export function remember(set, key) {
  set.delete(key);
  set.add(key);
  forgetOldest(set);
}

function forgetOldest(held) {
  for (const key of held.keys()) {
    if (held.size <= REMEMBERED) return;
    held.delete(key);
  }
}
