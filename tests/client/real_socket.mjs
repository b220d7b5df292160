// Run by test_client_js.py with a server's address: Node's own WebSocket instead of the fake.
// Prints what the handlers got, as one line of JSON.
import { RealtimeClient } from "../../realtime/static/realtime/client.js";

const client = new RealtimeClient({ url: process.argv[2] });
const got = [];
const states = [];
client.on("state", ({ state }) => states.push(state));
client.on("error", (error) => {
  console.error(error);
  process.exit(1);
});
const arrived = new EventTarget();
const arrival = (seq) => new Promise((resolve) => arrived.addEventListener(`${seq}`, resolve));
const everything = arrival(6);
const first = arrival(4);
client.subscribe("project.1", {
  snapshot: true,
  onSnapshot: (snapshot) => got.push(snapshot),
  onEvent: ({ seq }) => {
    got.push(seq);
    arrived.dispatchEvent(new Event(`${seq}`));
  },
});
client.connect();
await first; // a reset connection takes with it what was not yet read
const posted = await client.sendMessage("project.1", "posted while the server dies");
await everything;
client.close();
console.log(JSON.stringify({ got, posted, states }));
