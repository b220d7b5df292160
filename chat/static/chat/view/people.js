// The pane of people: who is a member, with which role.
import { avatar } from "./avatar.js";
import { byId, element, setText } from "./dom.js";
import { submitting } from "./forms.js";
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
    this.#rows.render(state.people);
    byId("invite").hidden = state.role !== "owner";
    setText(byId("people-count"), state.people.length > 0 ? String(state.people.length) : "");
  }

  #fill(row, { user, role }) {
    row.dataset.key = String(user.id);
    const name = user.id === this.#me.id ? `${user.name} (you)` : user.name;
    row.replaceChildren(
      avatar(user),
      element("span", { class: "person-name", text: name }),
      element("span", { class: "role", text: role }),
    );
  }
}
