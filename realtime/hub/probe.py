"""Does a hint sent now reach this node? Asked once a second of every shard of the layer.

A probe is published on connections of its own and must come back through the relay, by a group
that no other node is in. So it sees what a probe of Redis alone would not: a relay that is not
subscribed any more, although Redis answers.
"""

import asyncio
import itertools
import logging
from collections.abc import Sequence
from enum import Enum, auto
from typing import Any

from channels_redis.utils import _consistent_hash  # the layer's own choice of a shard
from django.conf import settings

from realtime import publisher
from realtime.layer.channel_layer import QuietChannelLayer

PROBE = "realtime.probe"
PROBE_TIMEOUT_S = 1.0
# A connection takes five round trips to make: on a slow network one second would never do.
SEND_TIMEOUT_S = 4.0

logger = logging.getLogger(__name__)


class Outcome(Enum):
    GOOD = auto()
    UNSENT = auto()  # Redis did not take the message
    UNHEARD = auto()  # it did, and nothing came back
    UNKNOWN = auto()  # this process itself was too busy to tell


def _looked_at(sending: "asyncio.Task[None]") -> bool:
    """Whether it succeeded. Asyncio complains of failures that nobody looked at."""
    return not sending.cancelled() and sending.exception() is None


class ShardProbe:
    """One shard: `layer` has only this host; `group` is one that the relay's layer puts there."""

    def __init__(self, layer: Any, group: str) -> None:
        self.group = group
        self._layer = layer
        self._sending: asyncio.Task[None] | None = None
        self._number = 0
        self._heard = asyncio.Event()

    def on_message(self, number: int) -> None:
        if number == self._number:
            self._heard.set()

    async def ask(self) -> Outcome:
        """Publish, and wait to hear it back, one second in all. Nothing is raised."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + PROBE_TIMEOUT_S
        if self._sending is None or self._sending.done():
            self._number += 1
            self._heard.clear()
            self._sending = loop.create_task(self._send(self._number))
            self._sending.add_done_callback(_looked_at)
        sending = self._sending
        await asyncio.wait({sending}, timeout=PROBE_TIMEOUT_S)
        if not sending.done() or not _looked_at(sending):
            return Outcome.UNSENT
        try:
            async with asyncio.timeout_at(deadline):
                await self._heard.wait()
        except TimeoutError:
            late = loop.time() > deadline + PROBE_TIMEOUT_S / 2
            return Outcome.UNKNOWN if late else Outcome.UNHEARD
        return Outcome.GOOD

    async def _send(self, number: int) -> None:
        message = {"type": PROBE, "group": self.group, "number": number}
        async with asyncio.timeout(SEND_TIMEOUT_S):
            await self._layer.group_send(self.group, message)

    async def close(self) -> None:
        if self._sending is not None:
            self._sending.cancel()
            await asyncio.gather(self._sending, return_exceptions=True)


class LayerProbe:
    """All shards. `groups` must be joined by the relay, `on_message` called with what they bring.

    With a layer that is not Redis's publish and subscribe there is nothing to ask: no shards.
    """

    def __init__(self) -> None:
        self._shards = {shard.group: shard for shard in _shard_probes()}

    @property
    def groups(self) -> Sequence[str]:
        return tuple(self._shards)

    def on_message(self, message: dict[str, Any]) -> None:
        shard = self._shards.get(message["group"])
        if shard is not None:
            shard.on_message(message["number"])

    async def ask(self) -> Outcome:
        """The worst answer of all shards."""
        outcomes = await asyncio.gather(*(shard.ask() for shard in self._shards.values()))
        return max(outcomes, key=_SEVERITY.index, default=Outcome.GOOD)

    async def close(self) -> None:
        for shard in self._shards.values():
            await shard.close()


# A deaf relay is worse than an absent shard: it is what this process can mend.
_SEVERITY = (Outcome.GOOD, Outcome.UNKNOWN, Outcome.UNSENT, Outcome.UNHEARD)


def _shard_probes() -> list[ShardProbe]:
    configured: dict[str, Any] = settings.CHANNEL_LAYERS["default"]
    if not configured["BACKEND"].endswith((".RedisPubSubChannelLayer", ".QuietChannelLayer")):
        return []
    config = configured["CONFIG"]
    hosts: list[Any] = config["hosts"]
    return [
        ShardProbe(
            QuietChannelLayer(**{**config, "hosts": [host]}),
            _group_on(number, len(hosts), config["prefix"]),
        )
        for number, host in enumerate(hosts)
    ]


def _group_on(shard: int, shards: int, prefix: str) -> str:
    """A group of this process alone which the layer keeps on that shard."""
    names = (f"probe.{publisher.origin()}.{number}" for number in itertools.count())
    return next(
        name for name in names if _consistent_hash(f"{prefix}__group__{name}", shards) == shard
    )
