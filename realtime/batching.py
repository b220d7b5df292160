"""Many who ask the same part at the same time are answered together: the database by one read.

What is asked while a read is under way goes into the next one, so a quiet process waits for nothing
and a crowd costs a few reads. Every answer is read after its question was asked.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from itertools import chain, islice
from typing import Generic, TypeAlias, TypeVar

from realtime.database import in_database
from realtime.protocol.errors import RealtimeError

Key = TypeVar("Key")
Answer = TypeVar("Answer")
Asked: TypeAlias = dict[Key, list["asyncio.Future[Answer]"]]

logger = logging.getLogger(__name__)


class Gatherer(Generic[Key, Answer]):
    """`together` gives for each of some distinct keys, in order, the answer or the error. What
    waits is bounded by who asks: sockets, streams, requests.

    limit: keys of one call; gather_s: how long a crowd (more than one key at a time) is gathered.
    """

    def __init__(
        self,
        together: Callable[[Sequence[Key]], Awaitable[Sequence[Answer | RealtimeError]]],
        *,
        limit: int,
        gather_s: float,
    ) -> None:
        self._together = together
        self._limit = limit
        self._gather_s = gather_s
        self._waiting: dict[Key, list[asyncio.Future[Answer]]] = {}
        self._task: asyncio.Task[None] | None = None

    async def ask(self, key: Key) -> Answer:
        """Raises what `together` gives for this key, or raises itself; Unavailable."""
        loop = asyncio.get_running_loop()
        # Each asker a future of its own: one who no longer waits takes the answer from nobody.
        future: asyncio.Future[Answer] = loop.create_future()
        waiting = self._waiting.get(key)
        if waiting is not None:
            waiting.append(future)
        else:
            self._waiting[key] = [future]
            if self._task is None or self._task.done():
                self._task = loop.create_task(self._run())
        return await future

    async def _run(self) -> None:
        """A named top-level loop: whatever a call raises goes to those who wait for it."""
        crowded = False
        while self._waiting:
            if crowded:
                await asyncio.sleep(self._gather_s)
            taken = dict(islice(self._waiting.items(), self._limit))
            for key in taken:
                del self._waiting[key]
            crowded = len(taken) > 1
            try:
                await self._answer(taken)
            except Exception as error:
                if crowded:
                    # One strange key must not be everybody's fault.
                    logger.exception("asked together in vain, asking one by one")
                    await self._answer_singly(taken)
                else:
                    _fail(taken, error)

    async def _answer_singly(self, taken: "Asked[Key, Answer]") -> None:
        for key, futures in taken.items():
            try:
                await self._answer({key: futures})
            except Exception as error:  # noqa: BLE001 - it goes to the one who asked
                _fail({key: futures}, error)

    async def _answer(self, taken: "Asked[Key, Answer]") -> None:
        try:
            answers = await self._together(list(taken))
        except RealtimeError as error:
            _fail(taken, error)
            return
        for (key, futures), answer in zip(taken.items(), answers, strict=True):
            if isinstance(answer, RealtimeError):
                _fail({key: futures}, answer)
                continue
            for future in futures:
                if not future.done():
                    future.set_result(answer)


class Batcher(Gatherer[Key, Answer]):
    """A gatherer of questions to the database: `read` runs in one of its threads."""

    def __init__(
        self,
        read: Callable[[Sequence[Key]], Sequence[Answer | RealtimeError]],
        *,
        limit: int,
        gather_s: float,
    ) -> None:
        async def together(keys: Sequence[Key]) -> Sequence[Answer | RealtimeError]:
            return await in_database(read, keys)

        super().__init__(together, limit=limit, gather_s=gather_s)


def _fail(taken: "Asked[Key, Answer]", error: Exception) -> None:
    for future in chain.from_iterable(taken.values()):
        if not future.done():
            future.set_exception(error)
            future.exception()  # seen: perhaps nobody waits for it any more
