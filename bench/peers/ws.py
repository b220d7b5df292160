"""Node `ws`: a room is a Set of sockets, a message is built once and sent to each."""

import json
from collections.abc import Mapping, Sequence

from bench.peers import node
from bench.peers.peer import BODY, Peer, Place, Script


class Ws(Peer):
    name = "ws"
    title = "Node ws"

    def missing(self) -> str | None:
        return node.missing("ws")

    def versions(self) -> Mapping[str, str]:
        return node.versions("ws")

    def command(self, place: Place) -> Sequence[str]:
        return ("node", str(node.FOLDER / "ws.js"), str(place.port))

    def reader(self, number: int, room: int) -> Script:
        """The server has the socket in its Set before the upgrade is answered."""
        return Script(f"/rooms/{room}")

    def message(self, room: int) -> str:
        return json.dumps({"body": BODY})


PEER = Ws()
