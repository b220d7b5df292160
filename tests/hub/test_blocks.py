"""Readers who stand alike, written to as one: who is in a block, who leaves it, what they get."""

import asyncio
from typing import cast

import pytest

from realtime.hub import audience
from realtime.hub.audience import BLOCKS_FROM, SLICE
from tests.hub.fakes import Descriptors, Reader
from tests.hub.scene import Scene, catch_up, play

pytestmark = pytest.mark.usefixtures("no_waiting")


@pytest.fixture
def descriptors(monkeypatch: pytest.MonkeyPatch) -> Descriptors:
    made = Descriptors()
    monkeypatch.setattr(audience, "write_slice", made.write_slice)
    return made


def crowd(scene: Scene, descriptors: Descriptors, count: int) -> list[Reader]:
    """Readers that may be written to directly."""
    readers = [scene.reader(user=number) for number in range(count)]
    for reader in readers:
        descriptors.give(reader)
    return readers


async def commit(scene: Scene, **how: str) -> None:
    scene.arrive(scene.log.commit(**how))  # type: ignore[arg-type]
    await scene.tasks.settle()


async def told(scene: Scene) -> None:
    """Wait for signals, which wait for the end of a fan-out."""
    while scene.stream._fan_out.gathers:
        await asyncio.sleep(0.001)
    await scene.tasks.settle()


def sizes(scene: Scene) -> list[int]:
    return [len(block.members) for block in scene.stream.audience.blocks]


def test_first_fan_out_makes_the_blocks_and_the_next_uses_them(descriptors: Descriptors) -> None:
    async def story(scene: Scene) -> None:
        readers = crowd(scene, descriptors, SLICE + 20)
        await commit(scene)
        assert descriptors.count == 0
        assert sorted(sizes(scene)) == [20, SLICE]
        scene.arrive(scene.log.commit(), scene.log.commit())
        await scene.tasks.settle()
        assert descriptors.count == len(readers)
        assert all(reader.seqs == [1, 2, 3] for reader in readers)

    play(Scene(), story)


def test_small_room_has_none(descriptors: Descriptors) -> None:
    async def story(scene: Scene) -> None:
        readers = crowd(scene, descriptors, BLOCKS_FROM - 1)
        for _ in range(3):
            await commit(scene)
        assert sizes(scene) == []
        assert all(reader.seqs == [1, 2, 3] for reader in readers)

    play(Scene(), story)


def test_full_socket_leaves_and_comes_back(descriptors: Descriptors) -> None:
    """It gets the rest of the frame by its own writer, and the next ones too until it is empty."""

    async def story(scene: Scene) -> None:
        readers = crowd(scene, descriptors, BLOCKS_FROM)
        await commit(scene)
        readers[3].narrow = True
        await commit(scene)
        assert sizes(scene) == [BLOCKS_FROM - 1]
        readers[3].narrow = False
        await commit(scene)
        await commit(scene)
        assert sizes(scene) == [BLOCKS_FROM]
        assert all(reader.seqs == [1, 2, 3, 4] for reader in readers)

    play(Scene(), story)


def test_lagging_reader_leaves_and_is_caught_up(descriptors: Descriptors) -> None:
    async def story(scene: Scene) -> None:
        readers = crowd(scene, descriptors, BLOCKS_FROM)
        await commit(scene)
        slow = readers[0]
        slow.lag()
        assert slow.subscription is not None
        assert slow.subscription.cursor == 1
        await commit(scene)
        assert slow.seqs == [1]
        assert scene.stream.audience.behind == 1
        slow.lagging = False
        catch_up(scene, slow)
        assert scene.stream.audience.behind == 0
        await commit(scene)
        await commit(scene)
        assert sizes(scene) == [BLOCKS_FROM]
        assert all(reader.seqs == [1, 2, 3, 4] for reader in readers)

    play(Scene(), story)


def test_right_that_ends_is_looked_for_in_blocks(descriptors: Descriptors) -> None:
    """The one whose right it is gets nothing of it, the others all."""

    async def story(scene: Scene) -> None:
        readers = crowd(scene, descriptors, BLOCKS_FROM + 1)
        await commit(scene)
        await commit(scene, ends="user.5")
        await commit(scene)
        leaver = readers.pop(5)
        assert (leaver.seqs, leaver.lost_at) == ([1], 2)
        assert all(reader.seqs == [1, 2, 3] for reader in readers)
        assert sizes(scene) == [BLOCKS_FROM]

    play(Scene(), story)


def test_newcomer_does_not_join_a_block_that_is_still_to_be_served(
    descriptors: Descriptors,
) -> None:
    """It begins where the running fan-out ends; the block stands before it."""

    async def story(scene: Scene) -> None:
        readers = crowd(scene, descriptors, 2 * SLICE)
        await commit(scene)
        scene.arrive(scene.log.commit())
        late = crowd(scene, descriptors, 1)[0]
        await scene.tasks.settle()
        await commit(scene)
        assert late.seqs == [3]
        assert all(reader.seqs == [1, 2, 3] for reader in readers)

    play(Scene(), story)


@pytest.mark.parametrize("turns", range(6))
def test_blocks_that_shrank_are_joined_and_nobody_is_told_twice(
    descriptors: Descriptors, turns: int
) -> None:
    """Also by signals that were under way to both of them, a slice at a time."""

    async def story(scene: Scene) -> None:
        crowd(scene, descriptors, 3 * SLICE)
        await commit(scene)
        assert sizes(scene) == [SLICE] * 3
        blocks = scene.stream.audience.blocks
        for block in blocks:
            for subscription in list(block.members)[: SLICE // 2 + 1]:
                subscription.end()
        scene.arrive(scene.log.commit())
        for _ in range(turns):
            await asyncio.sleep(0)
        scene.stream.signal(0, [b"signal"])
        await told(scene)
        assert sizes(scene) == [2 * (SLICE // 2 - 1), SLICE // 2 - 1]
        left = [cast("Reader", subscription.sink) for subscription in scene.stream.audience]
        assert len(left) == 3 * (SLICE // 2 - 1)
        assert all(reader.seqs == [1, 2] for reader in left)
        assert all(len(reader.signals) == 1 for reader in left)

    play(Scene(), story)


@pytest.mark.parametrize("turns", range(5))
def test_fan_out_under_way_ends_with_the_log_it_is_of(descriptors: Descriptors, turns: int) -> None:
    """Bug: who subscribed after a reset was given the lost event, and then not the new one of the
    same seq."""

    async def story(scene: Scene) -> None:
        crowd(scene, descriptors, 3 * SLICE)
        await commit(scene)
        scene.arrive(scene.log.commit())
        for _ in range(turns):
            await asyncio.sleep(0)
        scene.log.lose_tail(1)
        scene.check()
        late = crowd(scene, descriptors, 1)[0]
        await scene.tasks.settle()
        await commit(scene)
        assert late.seqs == [2]

    play(Scene(), story)


@pytest.mark.parametrize("turns", range(6))
def test_signal_reaches_each_once(descriptors: Descriptors, turns: int) -> None:
    """Bug: one whose socket took a part of it was told again with those who stand alone, and an end
    of somebody's right between two slices had half of the room told twice."""

    async def story(scene: Scene) -> None:
        readers = crowd(scene, descriptors, 3 * SLICE)
        await commit(scene)
        readers[4].narrow = True
        scene.stream.signal(0, [b"signal"])
        for _ in range(turns):
            await asyncio.sleep(0)
        scene.arrive(scene.log.commit(ends="user.7"))
        await told(scene)
        counts = {len(reader.signals) for reader in readers if reader.user_id != 7}
        assert counts == {1}

    play(Scene(), story)


def test_signal_in_a_small_room_reaches_each_once(descriptors: Descriptors) -> None:
    async def story(scene: Scene) -> None:
        readers = crowd(scene, descriptors, BLOCKS_FROM)
        await commit(scene)
        readers[4].narrow = True
        scene.stream.signal(0, [b"signal"])
        await asyncio.sleep(0)
        assert [len(reader.signals) for reader in readers] == [1] * BLOCKS_FROM

    play(Scene(), story)


def test_reset_and_a_gap_too_wide_empty_the_blocks(descriptors: Descriptors) -> None:
    async def story(scene: Scene) -> None:
        readers = crowd(scene, descriptors, BLOCKS_FROM)
        await commit(scene)
        for _ in range(300):
            entry = scene.log.commit()
        scene.arrive(entry)
        await scene.tasks.settle()
        assert all(reader.catching and reader.seqs == [1] for reader in readers)
        for reader in readers:
            catch_up(scene, reader)
        await commit(scene)
        assert sizes(scene)[-1:] == [BLOCKS_FROM]
        scene.log.lose_tail(2)
        scene.check()
        assert len(scene.stream.audience) == 0
        assert all(reader.reset_by == "epoch" for reader in readers)

    play(Scene(), story)
