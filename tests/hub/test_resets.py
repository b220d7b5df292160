"""A log that lost its tail: what was read or heard of before counts no more."""

import asyncio

import pytest

from realtime.log.entries import Entry
from tests.hub.scene import Scene, play

pytestmark = pytest.mark.usefixtures("no_waiting")


def test_reading_from_before_a_reset_says_nothing() -> None:
    """Bug: a slow position check that came back after the reset put the old epoch in force again
    and ended every subscription a second time."""

    async def story(scene: Scene) -> None:
        first, old, noted = scene.reader(), scene.log.state, scene.stream.noted()
        scene.log.lose_tail(1)
        scene.check()
        assert first.reset_by == "epoch"
        second = scene.reader()
        scene.stream.check(old, noted)
        assert scene.stream.epoch == scene.log.epoch
        assert second.reset_by is None
        scene.arrive(scene.log.commit())
        assert second.seqs == [scene.log.head]

    play(Scene(3), story)


def test_head_below_what_was_seen_resets() -> None:
    """The log lost its tail, though nobody changed the epoch."""

    async def story(scene: Scene) -> None:
        reader = scene.reader()
        del scene.log.entries[-1]
        scene.check()
        assert reader.reset_by == "epoch"
        assert scene.stream.last == scene.log.head == len(scene.stream.ring) + 2

    play(Scene(3), story)


def test_hints_during_the_opening_count_only_in_their_epoch() -> None:
    """Bug: an event of the lost log that came while the stream was opened was taken for the next
    event of the new one."""

    async def run() -> None:
        scene = Scene(2)
        stale = ("e0", [Entry(3, b"old", "new_message", None, None)])
        scene.stream.arrive(*stale)
        opening = asyncio.ensure_future(scene.stream.open())
        await asyncio.sleep(0)
        scene.stream.arrive(*stale)
        scene.arrive(scene.log.commit())
        await opening
        await scene.tasks.settle()
        assert scene.stream.last == 3
        held = scene.stream.ring.after(0)
        assert held is not None
        assert [entry.frame for entry in held] == [b"e1:1", b"e1:2", b"e1:3"]

    asyncio.run(run())


def test_what_waits_for_a_gap_is_forgotten_with_its_epoch() -> None:
    """A frame of the lost tail must not join the new log at the same seq."""

    async def story(scene: Scene) -> None:
        lost = [scene.log.commit() for _ in range(2)]
        scene.log.free = False
        scene.arrive(lost[1])
        scene.log.free = True
        scene.log.lose_tail(2)
        scene.check()
        reader = scene.reader()
        scene.arrive(scene.log.commit())
        assert reader.seqs == [4]
        scene.arrive(scene.log.commit())
        assert reader.seqs == [4, 5]

    play(Scene(3), story)


def test_gap_read_before_a_reset_is_read_again() -> None:
    """Bug: its frames, or its epoch, were taken for the new log's."""

    async def story(scene: Scene) -> None:
        scene.log.commit()
        scene.log.free = False
        scene.check()
        while not scene.log.waiting:
            await asyncio.sleep(0)
        scene.log.step(0)  # the snapshot of the old log is taken
        while not scene.log.waiting:
            await asyncio.sleep(0)
        scene.log.lose_tail(2)
        scene.check()
        reader = scene.reader()
        scene.log.commit()
        scene.log.release()
        await scene.tasks.settle()
        assert scene.stream.epoch == scene.log.epoch
        assert reader.reset_by is None
        scene.check()
        await scene.tasks.settle()
        assert reader.seqs == [scene.log.head]

    play(Scene(3), story)
