// The pane of people: who is a member, with which role, and who is here.
import { avatar } from "./avatar.js";
import { byId, element, setText } from "./dom.js";
import { submitting } from "./forms.js";
import { stateOf } from "../state.js";
import { KeyedList } from "./keyed.js";

export class PeopleView {
  #room = null;
  #me;
  #rows;

  constructor(me) {
    this.#me = me;
    this.#rows = new KeyedList(byId("people-list"), {
      keyOf: ({ user }) => String(user.id),
      create: () => element("li", { class: "person" }),
      update: (row, member) => this.#fill(row, member),
    });
    submitting(byId("invite"), ({ user, role }) => this.#room.invite(user, role));
  }

  open(room) {
    this.#room = room;
    this.#rows.render([]);
  }

  render(state) {
    this.#rows.render(
      state.people.map(({ user, role }) => ({ user, role, how: stateOf(state, user.id) })),
    );
    byId("invite").hidden = state.role !== "owner";
    setText(byId("people-count"), state.people.length > 0 ? String(state.people.length) : "");
  }

  #fill(row, { user, role, how }) {
    row.dataset.key = String(user.id);
    const name = user.id === this.#me.id ? `${user.name} (you)` : user.name;
    const parts = [
      avatar(user),
      element("span", { class: "person-name", text: name }),
      how && element("span", { class: "presence", "data-state": how, text: how }),
      element("span", { class: "role", text: role }),
    ];
    row.replaceChildren(...parts.filter(Boolean));
  }
}
