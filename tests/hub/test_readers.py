"""Who may be served from memory: never one too many, as of the stream's `last`."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from realtime.hub.readers import Readers
from realtime.hub.reading import Opening
from realtime.hub.stream import HubStream
from realtime.log.entries import Entry
from realtime.log.reading import StreamState
from realtime.protocol.positions import Position
from realtime.registry import Everyone
from tests.hub.fakes import NAME, Log, Tasks


def ending(seq: int, ends: str | None) -> Entry:
    return Entry(seq, b"{}", "project_left", ends, None)


def test_endings_take_readers_away() -> None:
    """One person, then all."""
    readers = Readers({1, 2, 3})
    readers.move([ending(1, "user.2"), ending(2, None), ending(3, "key.3")])
    assert [number in readers for number in (1, 2, 3, 4)] == [True, False, True, False]
    readers.move([ending(4, "all")])
    assert not any(number in readers for number in (1, 2, 3))


def test_unkept_readers_are_never_known() -> None:
    """Kinds whose rights end without an event, as a permission does: everyone is looked up."""
    readers = Readers(None)
    readers.admit(1)
    assert 1 not in readers


def test_everyone_reads_until_the_end() -> None:
    """The stream of all who are signed in."""
    readers = Readers(Everyone())
    assert 7 in readers
    readers.move([ending(1, "all")])
    assert 7 not in readers


@given(
    st.sets(st.integers(1, 4)),
    st.lists(st.tuples(st.sampled_from(["join", "leave", "all", "jump"]), st.integers(1, 4))),
)
def test_never_one_too_many(loaded: set[int], steps: list[tuple[str, int]]) -> None:
    """Against the set of members itself, whatever happens to it."""
    members, readers = set(loaded), Readers(loaded)
    for seq, (step, person) in enumerate(steps, start=1):
        match step:
            case "join":
                members.add(person)
                readers.admit(person)
            case "leave":
                members.discard(person)
                readers.move([ending(seq, f"user.{person}")])
            case "all":
                members.clear()
                readers.move([ending(seq, "all")])
            case "jump":
                readers.forget()
        assert {person for person in range(1, 5) if person in readers} <= members


class KeptLog(Log):
    """A log whose opening tells its readers."""

    async def open(self, name: str, limit: int) -> Opening:
        opening = await super().open(name, limit)
        return Opening(opening.state, opening.entries, {1, 2})


def opened(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(test)


def test_resume_is_served_only_where_all_of_it_is_known() -> None:
    """Another epoch, a seq beyond, a trimmed one, a stranger: the database decides."""

    async def test() -> None:
        log, tasks = KeptLog(), Tasks()
        for _ in range(5):
            log.commit()
        stream = HubStream(NAME, log, tasks.spawn)  # type: ignore[arg-type]
        await stream.open()
        assert stream.serves(None, 1)
        assert stream.serves(Position("e1", 5), 1)
        assert stream.serves(Position("e1", 0), 2)
        assert not stream.serves(Position("e1", 5), 3)
        assert not stream.serves(Position("e2", 5), 1)
        assert not stream.serves(Position("e1", 6), 1)
        log.floor = 3
        assert await stream.level()
        assert not stream.serves(Position("e1", 2), 1)
        assert stream.serves(Position("e1", 3), 1)

    opened(test())


def test_level_sees_a_removal_that_no_hint_brought() -> None:
    """The right to read is as fresh as the database has it."""

    async def test() -> None:
        log, tasks = KeptLog(), Tasks()
        log.commit()
        stream = HubStream(NAME, log, tasks.spawn)  # type: ignore[arg-type]
        log.stream = stream
        await stream.open()
        log.commit(ends="user.1")
        assert stream.serves(Position("e1", 1), 1)
        assert await stream.level()
        assert stream.last == 2
        assert not stream.serves(Position("e1", 1), 1)
        assert stream.serves(Position("e1", 1), 2)
        await tasks.settle()

    opened(test())


def test_only_what_was_read_at_last_or_later_admits() -> None:
    """A right read below `last` may have ended in between."""

    async def test() -> None:
        log, tasks = KeptLog(), Tasks()
        for _ in range(5):
            log.commit()
        stream = HubStream(NAME, log, tasks.spawn)  # type: ignore[arg-type]
        await stream.open()
        for head, epoch, admitted in ((4, "e1", False), (5, "e2", False), (5, "e1", True)):
            stream.admit(3, StreamState(1, NAME, epoch, head, 0))
            assert (3 in stream.readers) is admitted

    opened(test())
