"""One thread that computes, and the line before it: questions first, texts to embed after them."""

import asyncio
import itertools
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from enum import IntEnum
from typing import Any, TypeVar

from realtime.protocol.errors import Unavailable

T = TypeVar("T")

MAX_WAITING = 256


class Turn(IntEnum):
    SEARCH = 0
    EMBED = 1


class Turns:
    """At most MAX_WAITING calls wait; further ones are refused. Close it to end the thread."""

    def __init__(self, max_waiting: int = MAX_WAITING) -> None:
        self._waiting: queue.PriorityQueue[tuple[int, int, Future[Any], Callable[[], Any]]]
        self._waiting = queue.PriorityQueue(max_waiting)
        self._numbers = itertools.count()
        self._thread = threading.Thread(target=self._compute, name="computing", daemon=True)
        self._thread.start()

    async def take(self, turn: Turn, call: Callable[[], T]) -> T:
        """What `call` returns or raises. A cancelled one is not made. Raises Unavailable."""
        future: Future[T] = Future()
        try:
            self._waiting.put_nowait((turn, next(self._numbers), future, call))
        except queue.Full as error:
            raise Unavailable(
                f"expected fewer than {MAX_WAITING} calls to wait, got a full line",
                retry_after_ms=1000,
            ) from error
        return await asyncio.wrap_future(future)

    def _compute(self) -> None:
        while True:
            _, _, future, call = self._waiting.get()
            if not future.set_running_or_notify_cancel():
                continue
            try:
                result = call()
            except BaseException as error:  # noqa: BLE001 - whoever waits for the future gets it
                future.set_exception(error)
            else:
                future.set_result(result)
