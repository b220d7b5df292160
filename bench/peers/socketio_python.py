"""python-socketio on uvicorn, with its Redis manager."""

import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import version

from bench.peers.peer import Place
from bench.peers.python import missing
from bench.peers.socketio_peer import SocketioPeer


class SocketioPython(SocketioPeer):
    name = "socketio-python"
    title = "python-socketio, Redis manager"

    def missing(self) -> str | None:
        return missing("socketio", "uvicorn")

    def versions(self) -> Mapping[str, str]:
        return {name: version(name) for name in ("python-socketio", "uvicorn", "redis")}

    def command(self, place: Place) -> Sequence[str]:
        where = ("--host", "127.0.0.1", "--port", str(place.port), "--log-level", "warning")
        application = "bench.peers.python.socketio_asgi:application"
        return (sys.executable, "-m", "uvicorn", *where, application)

    def variables(self, place: Place) -> Mapping[str, str]:
        return {"PEER_REDIS_URL": place.redis_url}


PEER = SocketioPython()
