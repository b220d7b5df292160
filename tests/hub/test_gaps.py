"""Gaps wide and narrow, what is heard of while one is read, and redactions in the middle."""

import asyncio

import pytest

from realtime.hub.ring import MAX_ENTRIES
from tests.hub.fakes import BLANK
from tests.hub.scene import Scene, catch_up, play

pytestmark = pytest.mark.usefixtures("no_waiting")


def test_gap_of_256_is_pushed_and_read_once() -> None:
    """What fits into the ring is healed for all by one read."""

    async def story(scene: Scene) -> None:
        readers, before = [scene.reader() for _ in range(3)], scene.log.reads
        for _ in range(MAX_ENTRIES):
            scene.log.commit()
        scene.check()
        await scene.tasks.settle()
        assert scene.log.reads == before + 1
        assert [reader.writes for reader in readers] == [[MAX_ENTRIES]] * 3
        assert scene.stream.healed == MAX_ENTRIES

    play(Scene(), story)


def test_gap_above_256_jumps_and_everyone_catches_up() -> None:
    """Nothing of it is pushed; the ring holds the newest, each reader reads the rest itself."""

    async def story(scene: Scene) -> None:
        readers = [scene.reader() for _ in range(3)]
        for _ in range(MAX_ENTRIES + 1):
            scene.log.commit()
        scene.check()
        await scene.tasks.settle()
        assert scene.stream.last == scene.log.head
        for reader in readers:
            assert reader.writes == []
            assert len(reader.catching) == 1
            catch_up(scene, reader)
            assert reader.expected == scene.log.head + 1
        scene.arrive(scene.log.commit())
        assert [reader.writes[-1] for reader in readers] == [1] * 3

    play(Scene(), story)


def test_event_heard_of_while_a_gap_is_read_is_healed_too() -> None:
    """Bug: its seq was forgotten when the reading came back without it, so an event that travels
    as position only waited for the next position check."""

    async def story(scene: Scene) -> None:
        reader = scene.reader()
        scene.log.commit()
        scene.log.free = False
        scene.check()
        while not scene.log.waiting:
            await asyncio.sleep(0)
        scene.log.step(0)  # the snapshot is taken, the answer is under way
        while not scene.log.waiting:
            await asyncio.sleep(0)
        scene.arrive(scene.log.commit()._replace(frame=None))
        scene.log.release()
        await scene.tasks.settle()
        assert reader.seqs == [1, 2]

    play(Scene(), story)


def test_event_heard_of_during_a_jump_is_healed_too() -> None:
    """Bug: after a jump the healing ended, and could not be started from within itself."""

    async def story(scene: Scene) -> None:
        reader = scene.reader()
        for _ in range(MAX_ENTRIES + 1):
            scene.log.commit()
        scene.log.free = False
        scene.check()
        while not scene.log.waiting:
            await asyncio.sleep(0)
        scene.log.step(0)
        while not scene.log.waiting:
            await asyncio.sleep(0)
        scene.arrive(scene.log.commit()._replace(frame=None))
        scene.log.release()
        await scene.tasks.settle()
        assert scene.stream.last == scene.log.head
        catch_up(scene, reader)
        assert reader.expected == scene.log.head + 1

    play(Scene(), story)


def test_event_blanked_in_the_same_breath_is_read_from_the_log() -> None:
    """The text and its deletion became deliverable together: the ring no longer has the first, so
    every reader catches up, also when nothing follows."""

    async def story(scene: Scene) -> None:
        reader = scene.reader()
        entry = scene.log.commit()
        scene.arrive(entry, scene.log.commit(blanks=1))
        assert len(reader.catching) == 1
        catch_up(scene, reader)
        assert reader.seqs == [1, 2]

    play(Scene(), story)


def test_ring_filled_before_a_redaction_is_not_kept() -> None:
    """The text came with the opening's read, its redaction by a hint that overtook it."""

    async def run() -> None:
        scene = Scene(3)
        scene.log.free = False
        opening = asyncio.ensure_future(scene.stream.open())
        while not scene.log.waiting:
            await asyncio.sleep(0)
        scene.log.step(0)
        while not scene.log.waiting:
            await asyncio.sleep(0)
        scene.arrive(scene.log.commit(blanks=2))
        scene.log.release()
        await opening
        assert scene.stream.last == 4
        assert scene.stream.ring.first == 3
        assert scene.log.entries[1].frame == BLANK

    asyncio.run(run())


def test_database_away_is_asked_again_later() -> None:
    """A healing that failed is no reason to stay behind."""

    async def story(scene: Scene) -> None:
        reader = scene.reader()
        scene.log.commit()
        scene.log.down = True
        scene.check()
        await scene.tasks.settle()
        assert reader.seqs == []
        scene.log.down = False
        scene.check()
        await scene.tasks.settle()
        assert reader.seqs == [1]

    play(Scene(), story)
