"""The hub: what it takes from a group, and the position check that must never end."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import pytest

from realtime import publisher
from realtime.hub import hub as hub_module
from realtime.hub.hub import Hub
from realtime.log.entries import Entry
from realtime.protocol.errors import NotFound
from tests.hub.fakes import NAME, Log, Reader


def play(story: Callable[[Hub, Log], Awaitable[None]]) -> None:
    """A hub over a log in memory, without its relay."""

    async def run() -> None:
        hub, log = Hub(), Log()
        hub.reader = log  # type: ignore[assignment]
        log.commit()
        try:
            await story(hub, log)
        finally:
            await hub.stop()

    asyncio.run(run())


async def following(hub: Hub, log: Log) -> Reader:
    stream = await hub.open(NAME)
    log.stream = stream
    reader = Reader(1, log, log.epoch)
    reader.follow(stream, cursor=log.head, authorized_at=log.head, target=log.head)
    return reader


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.001)


def hint(log: Log, *entries: Entry) -> dict[str, Any]:
    listed = [list(entry) for entry in entries]
    return {"type": publisher.HINT_EVENTS, "stream": NAME, "epoch": log.epoch, "entries": listed}


def test_types_of_group_messages_are_an_allow_list() -> None:
    """Whatever else comes is counted and dropped."""

    async def story(hub: Hub, log: Log) -> None:
        reader = await following(hub, log)
        hub.on_message({"type": "websocket.send", "text": "x"})
        hub.on_message({})
        assert hub.unknown_messages == 2
        hub.on_message(hint(log, log.commit()))
        assert reader.seqs == [2]

    play(story)


def test_own_signals_that_come_back_are_dropped() -> None:
    """They have no seq to be known by; the node that made them has delivered them."""

    async def story(hub: Hub, log: Log) -> None:
        reader = await following(hub, log)
        message = {"type": publisher.HINT_SIGNALS, "stream": NAME, "signals": [[1, b"signal"]]}
        hub.on_message({**message, "origin": publisher.origin()})
        hub.on_message({**message, "origin": "another"})
        await until(lambda: reader.signals == [b"signal"])

    play(story)


def test_hint_of_another_epoch_makes_the_hub_look() -> None:
    """The row decides, not the hint."""

    async def story(hub: Hub, log: Log) -> None:
        reader = await following(hub, log)
        hub.on_message({**hint(log, log.commit()), "epoch": "e0"})
        await until(lambda: reader.seqs == [2])
        log.lose_tail(1)
        hub.on_message(hint(log, log.commit()))
        await until(lambda: reader.reset_by == "epoch")
        assert hub.streams[NAME].epoch == "e2"

    play(story)


def test_position_check_outlives_any_fault(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Bug: an error that is not of our tree ended the task, and with it the floor under
    everything: a lost hint was then never found."""
    monkeypatch.setattr(hub_module, "POLL_EVERY_S", 0.001)
    monkeypatch.setattr(hub_module, "CHECK_EVERY_S", 0.002)
    failures = 0

    async def story(hub: Hub, log: Log) -> None:
        reader = await following(hub, log)
        states = log.states

        async def broken(ids: Any) -> Any:
            nonlocal failures
            failures += 1
            raise ZeroDivisionError

        monkeypatch.setattr(log, "states", broken)
        hub.spawn(hub._check_positions())
        await until(lambda: failures > 2)
        monkeypatch.setattr(log, "states", states)
        log.commit()
        await until(lambda: reader.seqs == [2])

    with caplog.at_level(logging.CRITICAL, logger="realtime.hub.hub"):
        play(story)


def test_opening_that_fails_leaves_nothing_behind() -> None:
    """Everyone who waits for it is told, and the next one may try again."""

    async def story(hub: Hub, log: Log) -> None:
        async def missing(name: str, limit: int) -> Any:
            raise NotFound("expected an existing stream, got none")

        opened, log.open = log.open, missing  # type: ignore[method-assign]
        results = await asyncio.gather(hub.open(NAME), hub.open(NAME), return_exceptions=True)
        assert all(isinstance(result, NotFound) for result in results)
        assert hub.streams == {}
        log.open = opened  # type: ignore[method-assign]
        one, other = await asyncio.gather(hub.open(NAME), hub.open(NAME))
        assert one is other

    play(story)


def test_stream_closes_a_while_after_its_last_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not while somebody reads or waits, nor just after."""

    async def story(hub: Hub, log: Log) -> None:
        reader = await following(hub, log)
        assert reader.subscription is not None
        monkeypatch.setattr(hub_module, "KEEP_OPEN_S", -1)
        hub.close_idle()
        assert NAME in hub.streams
        reader.subscription.end()
        monkeypatch.setattr(hub_module, "KEEP_OPEN_S", 60)
        hub.close_idle()
        assert NAME in hub.streams
        monkeypatch.setattr(hub_module, "KEEP_OPEN_S", -1)
        hub.close_idle()
        assert NAME not in hub.streams

    play(story)


def grown(hub: Hub, before: int) -> bool:
    return hub.layer.unannounced == before + 1


def test_events_that_no_hint_announced_turn_the_node_to_polling(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A hint that comes within the grace is none of them, nor is a stream that is not joined."""
    monkeypatch.setattr(hub_module, "HINT_GRACE_S", 0.01)

    async def story(hub: Hub, log: Log) -> None:
        reader = await following(hub, log)
        log.commit()
        await hub.check_all()
        await asyncio.sleep(0.03)
        assert hub.layer.unannounced == 0, "expected a stream that is polled anyway to count not"
        hub.relay.joined.add(NAME)
        late = log.commit()
        await hub.check_all()
        hub.on_message(hint(log, late))
        await asyncio.sleep(0.03)
        assert hub.layer.unannounced == 0
        for _ in range(2):
            before = hub.layer.unannounced
            log.commit()
            await hub.check_all()
            await until(partial(grown, hub, before))
        assert hub.layer.polling
        await until(lambda: reader.seqs == [2, 3, 4, 5])

    play(story)


def test_event_that_somebody_else_found_counts_as_unannounced(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The stream is level by then, and the row says what is known: the check must look all the
    same."""
    monkeypatch.setattr(hub_module, "HINT_GRACE_S", 0.01)

    async def story(hub: Hub, log: Log) -> None:
        reader = await following(hub, log)
        hub.relay.joined.add(NAME)
        log.commit()
        assert await hub.streams[NAME].level()
        assert reader.seqs == [2]
        before = hub.layer.unannounced
        await hub.check_all()
        await until(partial(grown, hub, before))

    play(story)


def test_stream_opened_by_a_row_read_before_hears_what_no_hint_told_it() -> None:
    """What was committed between the reading and the opening, and was announced to nobody here,
    is found without waiting for the position check, and is no sign of a layer that fails."""

    async def story(hub: Hub, log: Log) -> None:
        row = log.state
        log.commit()
        stream = hub.open_personal(row, 1, 0.0)
        assert stream is not None
        assert hub.open_personal(row, 1, 0.0) is stream
        log.stream = stream
        hub.relay.joined.add(stream.group)
        reader = Reader(1, log, log.epoch)
        reader.follow(stream, cursor=row.head, authorized_at=row.head, target=row.head)
        await until(lambda: reader.seqs == [row.head + 1])
        await hub.check_all()
        assert stream.announced == log.head
        assert hub.layer.unannounced == 0

    play(story)


def test_stream_that_is_just_being_opened_is_not_opened_by_an_older_row() -> None:
    """Two streams of one name would be two truths."""

    async def story(hub: Hub, log: Log) -> None:
        log.free = False
        opening = asyncio.ensure_future(hub.open(NAME))
        for _ in range(3):  # before its task has begun, and while it reads
            await asyncio.sleep(0)
            assert hub.open_personal(log.state, 1, 0.0) is None
        log.release()
        assert (await opening).epoch == log.epoch

    play(story)
