"""What clients of Socket.IO say: Engine.IO 4 over WebSocket, events `join` and `publish`."""

import json

from bench.peers.peer import BODY, Peer, Script

_MESSAGE = (
    "42"  # Engine.IO message, Socket.IO event; a number behind it asks for an acknowledgement
)


class SocketioPeer(Peer):
    """A join is acknowledged (`430`), so that nobody is counted as in the room before."""

    answers = (("2", "3"),)  # the server's ping and the pong

    def reader(self, number: int, room: int) -> Script:
        join = f"{_MESSAGE}0{json.dumps(['join', room])}"
        return Script(
            "/socket.io/?EIO=4&transport=websocket",
            steps=(("0{", "40"), ("40", join), ("430", "")),
        )

    def message(self, room: int) -> str:
        return _MESSAGE + json.dumps(["publish", {"room": room, "body": BODY}])
