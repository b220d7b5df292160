"""A Go server on centrifuge, the library that Centrifugo is made of; in-memory broker."""

import json
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.peers.peer import BODY, Peer, Place, Script

_FOLDER = Path(__file__).parent / "go"
_SERVER = _FOLDER / "server"
_BUILD = "go build -C bench/peers/go -o server ."


class Centrifuge(Peer):
    """Its pings are empty commands, to be answered with the same."""

    name = "centrifuge"
    title = "Go centrifuge"
    answers = (("{}", "{}"),)

    def missing(self) -> str | None:
        if _SERVER.exists():
            return None
        return _BUILD if shutil.which("go") else f"apt-get install golang-go && {_BUILD}"

    def versions(self) -> Mapping[str, str]:
        """As the binary itself says, which may be older than the sources beside it."""
        said = subprocess.run([_SERVER, "version"], capture_output=True, text=True, check=True)
        return dict(re.findall(r"^(\S+) v?(\S+)$", said.stdout, re.MULTILINE))

    def command(self, place: Place) -> Sequence[str]:
        return (str(_SERVER), str(place.port))

    def reader(self, number: int, room: int) -> Script:
        subscribe = json.dumps({"id": 2, "subscribe": {"channel": f"room-{room}"}})
        return Script(
            "/connection/websocket",
            steps=(("", '{"id":1,"connect":{}}'), ('"id":1', subscribe), ('"id":2', "")),
        )

    def message(self, room: int) -> str:
        """The id only comes back in the reply, so that one does for all."""
        return json.dumps({"id": 3, "publish": {"channel": f"room-{room}", "data": {"body": BODY}}})


PEER = Centrifuge()
