"""What the hub asks of the log: awaitable, bounded in flight, and shared by those who ask alike."""

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from realtime import registry
from realtime.batching import Batcher
from realtime.database import in_database, snapshot
from realtime.log.entries import Entry
from realtime.log.reading import (
    Moved,
    Standing,
    StreamState,
    entries_after,
    moved_states,
    newest_entries,
    newest_of_many,
    stream_states,
    stream_states_by_name,
)
from realtime.protocol.errors import NotFound, RealtimeError
from realtime.protocol.streams import StreamName

READS_IN_FLIGHT = 8
# Streams opened, and positions checked, by one read; how long a crowd of askers is gathered.
OPENINGS = 64
CHECKS = 500
TOGETHER = 64  # positions of so few streams wait for those of others: of a group just joined
GATHER_OPENINGS_S = 0.02
GATHER_CHECKS_S = 0.05


@dataclass(frozen=True, slots=True)
class Opening:
    """A stream as opened: its row, its newest entries and its readers, read in one snapshot."""

    state: StreamState
    entries: Sequence[Entry]
    readers: Collection[int] | registry.Everyone | None = None


@dataclass(frozen=True, slots=True)
class Gap:
    """What follows a seq; `jump` when that is more than was asked for, and `entries` the newest."""

    state: StreamState
    entries: Sequence[Entry]
    jump: bool


def _open(asked: Sequence[tuple[str, int]]) -> list[Opening | RealtimeError]:
    """For pairs of a stream's name and how many of its newest entries are wanted."""
    with snapshot():
        states = {state.name: state for state in stream_states_by_name(name for name, _ in asked)}
        filled = [states[name].id for name, limit in asked if limit and name in states]
        most = max(limit for _, limit in asked)
        entries = newest_of_many(filled, limit=most) if filled else {}
        readers = registry.readers_of([StreamName.parse(name) for name in states])
    answers: list[Opening | RealtimeError] = []
    for name, limit in asked:
        if (state := states.get(name)) is None:
            answers.append(NotFound(f"expected an existing stream, got {name!r}"))
        else:
            newest = entries.get(state.id, [])[-limit:] if limit else []
            answers.append(Opening(state, newest, readers.get(StreamName.parse(name))))
    return answers


def _check(ids: Sequence[int]) -> list[list[StreamState] | RealtimeError]:
    """For each id its row, or nothing where there is none."""
    states = {state.id: state for state in stream_states(ids)}
    return [[states[key]] if key in states else [] for key in ids]


def _gap(stream_id: int, seq: int, limit: int) -> Gap:
    with snapshot():
        state = stream_states([stream_id])[0]
        # Beyond what was trimmed nothing joins: it is as wide as any other jump.
        if state.head - seq > limit or state.floor > seq:
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
        self._openings = Batcher(_open, limit=OPENINGS, gather_s=GATHER_OPENINGS_S)
        self._checks = Batcher(_check, limit=CHECKS, gather_s=GATHER_CHECKS_S)
        self._pages: dict[tuple[int, str, int], asyncio.Task[list[Entry]]] = {}
        self.pages_read = 0

    async def open(self, name: str, limit: int) -> Opening:
        """Raises NotFound, Unavailable."""
        return await self._openings.ask((name, limit))

    async def gap(self, stream_id: int, seq: int, limit: int) -> Gap:
        """Raises Unavailable."""
        async with self._turns:
            return await in_database(_gap, stream_id, seq, limit)

    async def states(self, ids: Iterable[int]) -> list[StreamState]:
        """Raises Unavailable."""
        keys = list(ids)
        if len(keys) <= TOGETHER:  # thousands of streams may be joined within a second
            found = await asyncio.gather(*map(self._checks.ask, keys))
            return [state for states in found for state in states]
        async with self._turns:
            return await in_database(stream_states, keys)

    async def moved(self, known: Mapping[int, Standing]) -> Moved:
        """Of these streams those that do not stand as is known. Raises Unavailable."""
        if len(known) <= TOGETHER:
            states = await self.states(known)
            return Moved(states, known.keys() - {state.id for state in states})
        async with self._turns:
            return await in_database(moved_states, known)

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
