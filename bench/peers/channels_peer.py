"""Stock Channels: Daphne, one consumer and one channel for each socket, `group_send`."""

import json
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import ClassVar

from bench.peers.peer import BODY, Peer, Place, Script
from bench.peers.python import missing


class ChannelsPeer(Peer):
    """The consumer joins its group before it accepts, so that an upgrade is a join."""

    layer: ClassVar[str]

    def missing(self) -> str | None:
        return missing("channels", "channels_redis", "daphne")

    def versions(self) -> Mapping[str, str]:
        return {name: version(name) for name in ("channels", "channels-redis", "daphne", "redis")}

    def command(self, place: Place) -> Sequence[str]:
        where = ("-b", "127.0.0.1", "-p", str(place.port), "-v", "0")
        return (
            sys.executable,
            "-m",
            "daphne",
            *where,
            "bench.peers.python.channels_asgi:application",
        )

    def variables(self, place: Place) -> Mapping[str, str]:
        return {
            "DJANGO_SETTINGS_MODULE": "bench.peers.python.channels_settings",
            "PEER_LAYER": self.layer,
            "PEER_REDIS_URL": place.redis_url,
        }

    def reader(self, number: int, room: int) -> Script:
        return Script(f"/rooms/{room}")

    def message(self, room: int) -> str:
        return json.dumps({"body": BODY})
