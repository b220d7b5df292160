// A room is a Set of sockets. What a client says is built into a string once and sent to each.
// node ws.js PORT
import { WebSocketServer, WebSocket } from "ws";

const rooms = new Map();
const server = new WebSocketServer({ host: "127.0.0.1", port: Number(process.argv[2]) });

server.on("connection", (socket, request) => {
  const room = request.url.split("/").at(-1);
  const members = rooms.get(room) ?? new Set();
  rooms.set(room, members.add(socket));

  socket.on("error", console.error);
  socket.on("message", (data) => {
    const text = JSON.stringify({ body: JSON.parse(data).body });
    for (const member of members) {
      if (member.readyState === WebSocket.OPEN) member.send(text);
    }
  });
  socket.on("close", () => {
    members.delete(socket);
    if (members.size === 0) rooms.delete(room);
  });
});
