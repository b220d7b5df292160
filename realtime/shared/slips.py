"""Values that are left under a name for a short time, and that one taker gets.

In the shared store for all nodes of an installation; in the memory of the one process that there is
where the channel layer is (`memory://`).
"""

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

from realtime.protocol.errors import Unavailable
from realtime.shared.store import RETRY_AFTER_MS, SharedStore

if TYPE_CHECKING:
    from redis.asyncio import Redis

# Longer than commands wait: of a crowd the first asks alone, and its answer, too, stands in line
# behind the crowd in this process; who gives up early has taken what nobody can take again.
LIMIT_S = 0.5
MOST_KEPT = 10_000  # in a process's memory

_PUT = """
for number, key in ipairs(KEYS) do
  redis.call("SET", key, ARGV[number + 1], "PX", ARGV[1])
end
return #KEYS
"""
# One script is one step for the store: of two who take the same name at once, one gets it.
_TAKE = """
local found = {}
for number, key in ipairs(KEYS) do
  local left_ms = redis.call("PTTL", key)
  found[number] = {redis.call("GETDEL", key), left_ms}
end
return found
"""


class Slip(NamedTuple):
    """A value, and for how many more milliseconds it would have been kept."""

    value: bytes
    left_ms: int


class Slips(Protocol):
    """Names are the caller's, and nobody else's."""

    async def put(self, values: Sequence[tuple[str, bytes]], life_ms: int) -> None:
        """Raises Unavailable."""

    async def take(self, names: Sequence[str]) -> list[Slip | None]:
        """Each is gone then. Raises Unavailable."""


class SharedSlips:
    """In the shared store: one call, whatever the number."""

    def __init__(self, store: SharedStore, kind: str) -> None:
        self._store = store
        self._kind = kind

    async def put(self, values: Sequence[tuple[str, bytes]], life_ms: int) -> None:
        keys = [self._store.key(self._kind, name) for name, _ in values]

        async def work(redis: "Redis") -> None:
            await redis.eval(_PUT, len(keys), *keys, life_ms, *(value for _, value in values))

        await self._store.call(work, limit_s=LIMIT_S)

    async def take(self, names: Sequence[str]) -> list[Slip | None]:
        keys = [self._store.key(self._kind, name) for name in names]

        async def work(redis: "Redis") -> list[tuple[bytes | None, int]]:
            found: list[tuple[bytes | None, int]] = await redis.eval(_TAKE, len(keys), *keys)
            return found

        found = await self._store.call(work, limit_s=LIMIT_S)
        return [None if value is None else Slip(value, left_ms) for value, left_ms in found]


class LocalSlips:
    """In this process; 10,000 at most, then no more are put until some are taken or out of date."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[bytes, float]] = {}  # the oldest first; all live equally long

    async def put(self, values: Sequence[tuple[str, bytes]], life_ms: int) -> None:
        now = time.monotonic()
        self._forget_old(now)
        if len(self._kept) + len(values) > MOST_KEPT:
            raise Unavailable(
                f"expected at most {MOST_KEPT} values kept, got one more",
                retry_after_ms=RETRY_AFTER_MS,
            )
        for name, value in values:
            self._kept[name] = (value, now + life_ms / 1000)

    async def take(self, names: Sequence[str]) -> list[Slip | None]:
        now = time.monotonic()
        self._forget_old(now)
        taken = [self._kept.pop(name, None) for name in names]
        return [one and Slip(one[0], round((one[1] - now) * 1000)) for one in taken]

    def _forget_old(self, now: float) -> None:
        while self._kept:
            oldest = next(iter(self._kept))
            if self._kept[oldest][1] > now:
                return
            del self._kept[oldest]
