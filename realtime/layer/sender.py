"""PUBLISH to one Redis server: commands go out as they come, answers are counted as they come."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

from realtime.layer.wire import Wire, packed

ANSWER_TIMEOUT_S = 4.0  # from the call, connecting included
UNANSWERED_LIMIT = 20_000  # above it the newest is refused

Told = Callable[[Exception | None], None]


class Sender:
    """Used in one event loop. Connects with the first message, and again with the first after the
    connection was lost; how soon that is tried is up to those who send."""

    def __init__(self, pool: Callable[[], Any]) -> None:
        self._pool = pool
        self._wire: Wire | None = None
        self._opening: asyncio.Task[None] | None = None
        self._unsent: list[bytes] = []  # while it connects
        self._unanswered: deque[tuple[float, Told]] = deque()  # (deadline, whom to tell)
        self._watching: asyncio.TimerHandle | None = None

    def publish_nowait(self, channel: bytes, data: bytes, told: Told) -> None:
        """`told` is called once: with None when Redis has taken it, else with the error."""
        if len(self._unanswered) >= UNANSWERED_LIMIT:
            told(RedisConnectionError(f"expected at most {UNANSWERED_LIMIT} unanswered messages"))
            return
        loop = asyncio.get_running_loop()
        self._unanswered.append((loop.time() + ANSWER_TIMEOUT_S, told))
        if self._watching is None:
            self._watching = loop.call_later(ANSWER_TIMEOUT_S, self._watch)
        command = packed(b"PUBLISH", channel, data)
        if self._wire is not None:
            self._wire.write(command)
            return
        self._unsent.append(command)
        if self._opening is None:
            self._opening = loop.create_task(self._open())

    async def _open(self) -> None:
        try:
            self._wire = await Wire.opened(self._pool(), self._answered, self._lost)
        except Exception as error:  # noqa: BLE001 - those who wait for an answer get it
            self._opening = None
            self._fail(error)
            return
        self._opening = None
        unsent, self._unsent = self._unsent, []
        self._wire.write(b"".join(unsent))

    def _answered(self, value: Any) -> None:
        if not self._unanswered or isinstance(value, list):
            return  # nobody asked: Redis may push news of its own
        _, told = self._unanswered.popleft()
        told(value if isinstance(value, ResponseError) else None)

    def _lost(self) -> None:
        self._wire = None
        self._fail(RedisConnectionError("expected an answer, got the connection's end"))

    def _watch(self) -> None:
        """Answers come in order: the first that is late says that none comes."""
        self._watching = None
        if not self._unanswered:
            return
        loop = asyncio.get_running_loop()
        deadline = self._unanswered[0][0]
        if deadline > loop.time():
            self._watching = loop.call_at(deadline, self._watch)
        else:
            self.close(TimeoutError(f"expected an answer within {ANSWER_TIMEOUT_S:g} s, got none"))

    def _fail(self, error: Exception) -> None:
        unanswered = list(self._unanswered)
        self._unanswered.clear()
        self._unsent.clear()
        for _, told in unanswered:
            told(error)

    def close(self, error: Exception | None = None) -> None:
        """Let go of the connection. It may be used again: then it connects anew."""
        if self._opening is not None:
            self._opening.cancel()
            self._opening = None
        if self._watching is not None:
            self._watching.cancel()
            self._watching = None
        if self._wire is not None:
            self._wire.close()
            self._wire = None
        self._fail(error or RedisConnectionError("expected an answer, the connection was closed"))
