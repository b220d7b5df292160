"""What the hub asks of the log: awaitable, bounded in flight, and shared by those who ask alike."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from realtime.database import in_database, snapshot
from realtime.log.entries import Entry
from realtime.log.reading import (
    StreamState,
    entries_after,
    newest_entries,
    stream_state,
    stream_states,
)

READS_IN_FLIGHT = 8


@dataclass(frozen=True, slots=True)
class Opening:
    """A stream as opened: its row and its newest entries, read in one snapshot."""

    state: StreamState
    entries: Sequence[Entry]


@dataclass(frozen=True, slots=True)
class Gap:
    """What follows a seq; `jump` when that is more than was asked for, and `entries` the newest."""

    state: StreamState
    entries: Sequence[Entry]
    jump: bool


def _open(name: str, limit: int) -> Opening:
    with snapshot():
        state = stream_state(name)
        return Opening(state, newest_entries(state.id, state.head, limit=limit))


def _gap(stream_id: int, seq: int, limit: int) -> Gap:
    with snapshot():
        state = stream_states([stream_id])[0]
        if state.head - seq > limit:
            return Gap(state, newest_entries(state.id, state.head, limit=limit), jump=True)
        return Gap(state, entries_after(stream_id, seq, limit=limit), jump=False)


def _page(stream_id: int, epoch: str, after: int) -> list[Entry]:
    with snapshot():
        if stream_states([stream_id])[0].epoch != epoch:
            return []
        return entries_after(stream_id, after)


class LogReader:
    """At most 8 reads at a time; equal pages wanted at the same time are read once."""

    def __init__(self) -> None:
        self._turns = asyncio.Semaphore(READS_IN_FLIGHT)
        self._pages: dict[tuple[int, str, int], asyncio.Task[list[Entry]]] = {}
        self.pages_read = 0

    async def open(self, name: str, limit: int) -> Opening:
        """Raises NotFound, Unavailable."""
        async with self._turns:
            return await in_database(_open, name, limit)

    async def gap(self, stream_id: int, seq: int, limit: int) -> Gap:
        """Raises Unavailable."""
        async with self._turns:
            return await in_database(_gap, stream_id, seq, limit)

    async def states(self, ids: Iterable[int]) -> list[StreamState]:
        """Raises Unavailable."""
        async with self._turns:
            return await in_database(stream_states, list(ids))

    async def page(self, stream_id: int, epoch: str, after: int) -> list[Entry]:
        """The page of the log that follows `after`; empty when the epoch is another one now.

        Raises Unavailable.
        """
        key = (stream_id, epoch, after)
        task = self._pages.get(key)
        if task is None:
            task = self._pages[key] = asyncio.ensure_future(self._read_page(*key))
            task.add_done_callback(lambda _: self._pages.pop(key, None))
        return await asyncio.shield(task)

    async def _read_page(self, stream_id: int, epoch: str, after: int) -> list[Entry]:
        async with self._turns:
            self.pages_read += 1
            return await in_database(_page, stream_id, epoch, after)
