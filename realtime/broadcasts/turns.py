"""Who of the broadcasts that a worker has in hand goes out next: the most urgent one.

A worker claims jobs by the hundred. Without turns an urgent one, claimed as soon as there is room,
would stand behind all of them in line for a database thread and for the stream's lock, which lets
them through one by one anyway; and so would the next claim.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from heapq import heappop, heappush
from itertools import count

AT_ONCE = (
    4  # in a worker: streams other than one's own need not wait, and half the threads are free
)


class Turns:
    """Used in one event loop. Bounded by the worker's concurrency."""

    def __init__(self, at_once: int = AT_ONCE) -> None:
        self._free = at_once
        self._order = count()
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []

    @asynccontextmanager
    async def taken(self, priority: int) -> AsyncIterator[None]:
        """Wait for a turn, which lasts as long as the body: the highest priority first, then who
        came first. The limit is the caller's (a job has `timeout_s`)."""
        if self._free:
            self._free -= 1
        else:
            await self._wait(priority)
        try:
            yield
        finally:
            self._pass_on()

    async def _wait(self, priority: int) -> None:
        turn = asyncio.get_running_loop().create_future()
        heappush(self._waiting, (-priority, next(self._order), turn))
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():  # it was given at the same moment
                self._pass_on()
            raise

    def _pass_on(self) -> None:
        while self._waiting:
            *_, turn = heappop(self._waiting)
            if not turn.done():  # who waited for it has been cancelled
                turn.set_result(None)
                return
        self._free += 1
