"""The channel layer: that of channels_redis, for servers that hear themselves without it.

Two things differ. Messages go to Redis and come from it as bytes of two connections of our own, see
`realtime.layer.wire`: which server, which channel, which form is as channels_redis has it. And what
this process told its own hub already is dropped as the bytes arrive, before anything is decoded or
waits in a queue. Both lean on private names of the pinned version of channels_redis.
"""

import asyncio
from typing import Any

from channels_redis.pubsub import (
    RedisPubSubChannelLayer,
    RedisPubSubLoopLayer,
    RedisSingleShardConnection,
)
from channels_redis.utils import _wrap_close, create_pool, decode_hosts

from realtime.layer.listener import Listener
from realtime.layer.sender import Sender, Told
from realtime.publisher import HINT_EVENTS, HINT_SIGNALS, origin

# A byte that begins no message of msgpack's, so that unmarked messages are known from marked ones.
_MARK = b"\xc1"
_ORIGIN_BYTES = 32


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

    def group_send_nowait(self, group: str, message: dict[str, Any], told: Told) -> None:
        """As `group_send`, in a running event loop, without a task: `told` is called once, with
        None when Redis has taken it or with the error, within 4 s. Raises what is raised for a
        message that cannot be serialised."""
        self._get_layer().group_send_nowait(group, message, told)

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

    def group_send_nowait(self, group: str, message: dict[str, Any], told: Told) -> None:
        name = self._get_group_channel_name(group)
        data = self.channel_layer.serialize(message)
        self._get_shard(name).sender.publish_nowait(name.encode(), data, told)


class _Shard(RedisSingleShardConnection):  # type: ignore[misc] # untyped
    """One Redis server: a connection that sends and one that hears, each made when it is needed."""

    def __init__(self, host: dict[str, Any], channel_layer: _LoopLayer) -> None:
        super().__init__(host, channel_layer)
        self.sender = Sender(self._pool)
        self._listener = Listener(self._pool, self._came)

    def _pool(self) -> Any:
        """Where the address is read and a connection made; it keeps none."""
        return create_pool(self.host)

    async def publish(self, channel: str, message: bytes) -> None:
        """Raises what redis-py raises for a server that is away, TimeoutError after 4 s."""
        taken: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def told(error: Exception | None) -> None:
            if taken.done():
                return
            if error is None:
                taken.set_result(None)
            else:
                taken.set_exception(error)

        self.sender.publish_nowait(channel.encode(), message, told)
        await taken

    async def subscribe(self, channel: str) -> None:
        await self._listener.subscribe(channel)

    async def unsubscribe(self, channel: str) -> None:
        self._listener.unsubscribe(channel)

    async def flush(self) -> None:
        self._listener.close()
        self.sender.close()

    def _came(self, channel: bytes, data: bytes) -> None:
        """Hand it to its channels, but for our own hints: the local hub was told at the commit."""
        if not (data.startswith(_MARK) and data.startswith(_own_mark())):
            self._receive_message({"channel": channel, "data": data})
