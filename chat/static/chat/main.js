// Starts the page: one client, one workspace, one view, and the wires between them.
import { RealtimeClient } from "../realtime/client.js";
import { Address } from "./address.js";
import { Rest } from "./rest.js";
import { Light } from "./view/light.js";
import { Page } from "./view/page.js";
import { Workspace } from "./workspace.js";

const { user, userName, csrfCookie } = document.body.dataset;
const me = { id: Number(user), name: userName };

const client = new RealtimeClient({ url: "/ws" });
const workspace = new Workspace({
  client,
  rest: new Rest({ csrfCookie }),
  me: me.id,
  address: new Address(window),
  storage: sessionStorage,
  onChange: () => page.changed(),
  onEvent: (frame) => page.heard(frame),
});
const page = new Page(workspace, me);
const light = new Light(() => client.connect());

client.on("state", (state) => light.show(state));
client.on("authenticated", (data) => {
  // Another person signed in, in another tab: this shell is not theirs.
  if (data.user.id !== me.id) location.reload();
});
client.on("error", (error) => console.error(error));

const busy = document.getElementById("busy");
busy.addEventListener("change", () => client.setBusy(busy.checked));
client.setBusy(busy.checked); // a reload keeps the tick

addEventListener("beforeunload", (event) => {
  if (workspace.busy) event.preventDefault();
});

workspace.start();
client.connect();
