"""The channel layer: that of channels_redis, for servers that hear themselves without it.

Two things differ. It sleeps until something comes, where channels_redis looks ten times a second.
And what this process told its own hub already is dropped as the bytes arrive, before anything is
decoded or waits in a queue. Both lean on private names of the pinned version of channels_redis.
"""

import asyncio
import logging
from typing import Any

from channels_redis.pubsub import (
    RedisPubSubChannelLayer,
    RedisPubSubLoopLayer,
    RedisSingleShardConnection,
)
from channels_redis.utils import _wrap_close, decode_hosts

from realtime.publisher import HINT_EVENTS, HINT_SIGNALS, origin

# A byte that begins no message of msgpack's, so that unmarked messages are known from marked ones.
_MARK = b"\xc1"
_ORIGIN_BYTES = 32
# The node's own probe comes every second: reads end by it, not by this. Between two reads redis-py
# looks whether its connection is due for a check.
_READ_S = 2.0
_UNSUBSCRIBED_S = 0.1
_RETRY_S = 1.0

logger = logging.getLogger(__name__)


def _own_mark() -> bytes:
    return _MARK + origin().encode()


class QuietChannelLayer(RedisPubSubChannelLayer):  # type: ignore[misc] # untyped
    """Marks the hints that the local hub has had, see `realtime.publisher`."""

    def serialize(self, message: dict[str, Any]) -> bytes:
        """As bytes; hints say which process they come from."""
        data: bytes = super().serialize(message)
        return _own_mark() + data if message["type"] in (HINT_EVENTS, HINT_SIGNALS) else data

    def deserialize(self, message: bytes) -> Any:
        """From bytes, marked or not."""
        if message.startswith(_MARK):
            message = message[len(_MARK) + _ORIGIN_BYTES :]
        return super().deserialize(message)

    def _get_layer(self) -> "_LoopLayer":
        loop = asyncio.get_running_loop()
        layer: _LoopLayer | None = self._layers.get(loop)
        if layer is None:
            layer = self._layers[loop] = _LoopLayer(*self._args, **self._kwargs, channel_layer=self)
            _wrap_close(self, loop)
        return layer


class _LoopLayer(RedisPubSubLoopLayer):  # type: ignore[misc] # untyped
    def __init__(self, hosts: Any = None, **options: Any) -> None:
        super().__init__(hosts=hosts, **options)
        self._shards = [_Shard(host, self) for host in decode_hosts(hosts)]


class _Shard(RedisSingleShardConnection):  # type: ignore[misc] # untyped
    async def _do_receiving(self) -> None:
        """The receiving task of one Redis server; it ends with the layer."""
        while True:
            try:
                if self._pubsub and self._pubsub.subscribed:
                    self._receive_message(
                        await self._pubsub.get_message(
                            ignore_subscribe_messages=True, timeout=_READ_S
                        )
                    )
                else:
                    await asyncio.sleep(_UNSUBSCRIBED_S)
            except Exception:
                # A named top-level loop. The layer's logger is silent: the relay and the probe say
                # in a line that Redis is away.
                logger.debug("expected a message, got a fault", exc_info=True)
                await asyncio.sleep(_RETRY_S)

    def _receive_message(self, message: dict[str, Any] | None) -> None:
        """Hand it to its channels, but for our own hints: the local hub was told at the commit."""
        if message is not None and not _is_own(message["data"]):
            super()._receive_message(message)


def _is_own(data: object) -> bool:
    return isinstance(data, bytes) and data.startswith(_MARK) and data.startswith(_own_mark())
