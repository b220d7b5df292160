"""Reads of the database, each held until the test takes its snapshot and gives its answer."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from realtime.protocol.errors import RealtimeError, Unavailable


@dataclass(eq=False)
class Read:
    """A call of the database that the loop waits for."""

    call: Callable[[], Any]
    answer: "asyncio.Future[Any]"
    result: Any = None
    error: RealtimeError | None = None
    taken: bool = False


class Gate:
    """In place of `in_database`: `step` first takes a read's snapshot, then gives its answer.

    Both happen outside the loop, where Django's connection is the test's own. While `down`, what
    is taken fails.
    """

    def __init__(self) -> None:
        self.free = True
        self.down = False
        self._waiting: list[Read] = []

    async def __call__(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        answer = asyncio.get_running_loop().create_future()
        self._waiting.append(Read(partial(function, *args, **kwargs), answer))
        return await answer

    def step(self, number: int) -> None:
        if self._waiting:
            read = self._waiting[number % len(self._waiting)]
            if read.taken:
                self._waiting.remove(read)
                self._give(read)
            else:
                self._take(read)

    def flow(self) -> bool:
        """Answer everything that waits, if reads are free; whether there was anything."""
        waiting = self._waiting if self.free else []
        self._waiting = [] if self.free else self._waiting
        for read in waiting:
            if not read.taken:
                self._take(read)
            self._give(read)
        return bool(waiting)

    def _take(self, read: Read) -> None:
        read.taken = True
        if self.down:
            read.error = Unavailable("expected the database to answer, got none")
            return
        try:
            read.result = read.call()
        except RealtimeError as error:
            read.error = error

    def _give(self, read: Read) -> None:
        if read.answer.done():
            return  # whoever asked was cancelled
        if read.error is not None:
            read.answer.set_exception(read.error)
        else:
            read.answer.set_result(read.result)
