"""The node's own client of Redis, beside the channel layer's.

Every call has a limit and goes through one circuit breaker, so that a dead or hanging Redis costs a
command 50 ms a few times and then nothing.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from django.conf import settings
from redis.asyncio import Redis
from redis.exceptions import RedisError

from realtime.breaker import CircuitBreaker
from realtime.protocol.errors import Unavailable

T = TypeVar("T")

COMMAND_LIMIT_S = 0.05  # on the path of a command or a request
BACKGROUND_LIMIT_S = 1.0
RETRY_AFTER_MS = 1000


class SharedStore:
    """Made and used in one event loop. `prefix` keeps installations on one Redis apart."""

    def __init__(self, address: str, prefix: str) -> None:
        self.prefix = prefix
        self.breaker = CircuitBreaker("shared_store", part="redis")
        # Each call has its limit; with another one redis-py makes a task of every command.
        self._redis: Redis = Redis.from_url(
            address, socket_connect_timeout=BACKGROUND_LIMIT_S, socket_timeout=None
        )

    def key(self, *parts: object) -> str:
        """A key of ours: the prefix and the parts, joined by colons."""
        return ":".join([self.prefix, *map(str, parts)])

    async def call(
        self, work: Callable[["Redis"], Awaitable[T]], *, limit_s: float = COMMAND_LIMIT_S
    ) -> T:
        """Run `work` with the client. Raises Unavailable when there is no answer in time."""
        try:
            with self.breaker.guarding(RedisError, OSError, TimeoutError):
                async with asyncio.timeout(limit_s):
                    return await work(self._redis)
        except (RedisError, OSError, TimeoutError) as error:
            raise Unavailable(
                f"expected the shared store to answer within {limit_s * 1000:.0f} ms, "
                f"got {type(error).__name__}",
                retry_after_ms=RETRY_AFTER_MS,
            ) from error

    async def close(self) -> None:
        await self._redis.aclose()


def shared_store() -> SharedStore | None:
    """A client of the first host of the channel layer; None where the layer is in memory."""
    layer: dict[str, Any] = settings.CHANNEL_LAYERS["default"]
    config = layer.get("CONFIG", {})
    hosts = config.get("hosts")
    if not hosts:
        return None
    return SharedStore(hosts[0]["address"], config["prefix"])
