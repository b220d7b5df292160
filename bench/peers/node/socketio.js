// Socket.IO with the Redis adapter, as the adapter's README has it; WebSocket transport only.
// node socketio.js PORT REDIS_URL
import { createServer } from "node:http";
import { createAdapter } from "@socket.io/redis-adapter";
import { createClient } from "redis";
import { Server } from "socket.io";

const [port, redisUrl] = process.argv.slice(2);
const pubClient = createClient({ url: redisUrl });
const subClient = pubClient.duplicate();
await Promise.all([pubClient.connect(), subClient.connect()]);

const httpServer = createServer();
const io = new Server(httpServer, {
  adapter: createAdapter(pubClient, subClient),
  transports: ["websocket"],
});

io.on("connection", (socket) => {
  socket.on("join", (room, joined) => {
    socket.join(String(room));
    joined();
  });
  socket.on("publish", ({ room, body }) => io.to(String(room)).emit("message", { body }));
});

httpServer.listen(Number(port), "127.0.0.1");
