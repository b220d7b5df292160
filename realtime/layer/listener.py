"""SUBSCRIBE to channels of one Redis server, and again to all of them on each new connection."""

import asyncio
import logging
import random
from collections.abc import Callable
from typing import Any

from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

from realtime.layer.wire import Wire, packed

RETRY_S = 1.0
_AT_ONCE = 1_000  # channels in one command

logger = logging.getLogger(__name__)


class Listener:
    """Used in one event loop. `on_message(channel, data)` may not wait and must not raise.

    That SUBSCRIBE was sent says nothing of when it is in force; the probe of the node does.
    """

    def __init__(self, pool: Callable[[], Any], on_message: Callable[[bytes, bytes], None]) -> None:
        self.channels: set[str] = set()
        self._pool = pool
        self._on_message = on_message
        self._wire: Wire | None = None
        self._connecting = asyncio.Lock()
        self._returning: asyncio.Task[None] | None = None
        self._checking: asyncio.TimerHandle | None = None

    async def subscribe(self, channel: str) -> None:
        """Raises what redis-py raises when it connects, TimeoutError."""
        if channel in self.channels:
            return
        self.channels.add(channel)
        if self._wire is not None:
            self._wire.write(packed(b"SUBSCRIBE", channel.encode()))
            return
        try:
            await self._connect()
        except BaseException:
            self.channels.discard(channel)
            raise
        if channel not in self.channels:
            raise RedisConnectionError("expected a subscription, it was let go of meanwhile")

    def unsubscribe(self, channel: str) -> None:
        if channel in self.channels:
            self.channels.discard(channel)
            if self._wire is not None:
                self._wire.write(packed(b"UNSUBSCRIBE", channel.encode()))

    async def _connect(self) -> None:
        async with self._connecting:
            if self._wire is not None:
                return  # somebody else was quicker, and subscribed to all
            wire = self._wire = await Wire.opened(self._pool(), self._came, self._lost)
            if not self.channels:  # `close` came in between
                self.close()
                return
        names = [channel.encode() for channel in sorted(self.channels)]
        for start in range(0, len(names), _AT_ONCE):
            wire.write(packed(b"SUBSCRIBE", *names[start : start + _AT_ONCE]))
        self._check_later(wire)

    def _came(self, value: Any) -> None:
        if isinstance(value, list) and value[0] == b"message":
            _, channel, data = value
            self._on_message(channel, data)
        elif isinstance(value, ResponseError):
            # Not a warning: whoever is not subscribed hears no probe, and says that.
            logger.debug("subscription refused error=%r", value)

    def _lost(self) -> None:
        self._wire = None
        self._stop_checking()
        if self.channels and self._returning is None:
            self._returning = asyncio.get_running_loop().create_task(self._return())

    async def _return(self) -> None:
        """Until it is connected again: all nodes lost Redis at the same time, so with jitter."""
        wait_s = random.uniform(0.0, RETRY_S)
        while True:
            await asyncio.sleep(wait_s)
            try:
                await self._connect()
            except Exception:
                # A named top-level loop. The relay and the probe say in a line that Redis is away.
                logger.debug("not subscribed again yet", exc_info=True)
                wait_s = random.uniform(0.5, 1.0) * RETRY_S
            else:
                self._returning = None
                return

    def _check_later(self, wire: Wire) -> None:
        if wire.health_check_s:
            wire.heard = True
            self._check(wire)

    def _check(self, wire: Wire) -> None:
        """Whoever only reads never learns that the other side is gone."""
        if not wire.heard:
            wire.connection_lost(None)
            return
        wire.heard = False
        wire.write(packed(b"PING"))
        self._checking = asyncio.get_running_loop().call_later(
            wire.health_check_s, self._check, wire
        )

    def _stop_checking(self) -> None:
        if self._checking is not None:
            self._checking.cancel()
            self._checking = None

    def close(self) -> None:
        """Let go of the connection and all subscriptions. It may be used again."""
        self.channels.clear()
        self._stop_checking()
        if self._returning is not None:
            self._returning.cancel()
            self._returning = None
        if self._wire is not None:
            self._wire.close()
            self._wire = None
