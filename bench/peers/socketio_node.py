"""Socket.IO on Node with the Redis adapter."""

from collections.abc import Mapping, Sequence

from bench.peers import node
from bench.peers.peer import Place
from bench.peers.socketio_peer import SocketioPeer


class SocketioNode(SocketioPeer):
    name = "socketio-node"
    title = "Node Socket.IO, Redis adapter"

    def missing(self) -> str | None:
        return node.missing("socket.io", "@socket.io/redis-adapter", "redis")

    def versions(self) -> Mapping[str, str]:
        return node.versions("socket.io", "@socket.io/redis-adapter", "redis")

    def command(self, place: Place) -> Sequence[str]:
        return ("node", str(node.FOLDER / "socketio.js"), str(place.port), place.redis_url)


PEER = SocketioNode()
