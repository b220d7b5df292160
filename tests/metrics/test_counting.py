"""What the core counts where events pass: each of the numbers by itself, without a server."""

import time

import pytest
from asgiref.sync import async_to_sync

from realtime.breaker import CircuitBreaker
from realtime.hub import audience
from realtime.hub.ring import MAX_ENTRIES
from realtime.log.entries import Entry
from realtime.metrics.core import COMMIT_TO_WRITE_S, DELIVERIES, FAN_OUT_S, HEALED
from realtime.metrics.gauges import numbers
from realtime.metrics.kinds import Histogram
from tests.hub.fakes import Descriptors, Reader
from tests.hub.scene import Scene, play

pytestmark = pytest.mark.usefixtures("no_waiting")

CROWD = 20


@pytest.fixture
def descriptors(monkeypatch: pytest.MonkeyPatch) -> Descriptors:
    made = Descriptors()
    monkeypatch.setattr(audience, "write_slice", made.write_slice)
    return made


def observed(histogram: Histogram) -> tuple[float, float]:
    """How often, and the sum."""
    return sum(histogram.counts), histogram.total_s


def announced(scene: Scene, *entries: Entry, ago_s: float) -> None:
    """As by a hint of another machine, which committed so long ago."""
    assert scene.stream.arrive(scene.log.epoch, entries, time.time() - ago_s)


def test_from_the_commit_to_the_write_is_one_time_per_batch() -> None:
    """Of the oldest event in it, however many readers there are; without readers there is none."""

    async def story(scene: Scene) -> None:
        before = observed(COMMIT_TO_WRITE_S), observed(FAN_OUT_S)
        announced(scene, scene.log.commit(), ago_s=500)
        assert (observed(COMMIT_TO_WRITE_S), observed(FAN_OUT_S)) == before
        for _ in range(3):
            scene.reader()
        second, third = scene.log.commit(), scene.log.commit()
        announced(scene, third, ago_s=50)
        announced(scene, second, ago_s=100)
        count, total = observed(COMMIT_TO_WRITE_S)
        assert count - before[0][0] == 1
        assert 100 <= total - before[0][1] < 150
        assert observed(FAN_OUT_S)[0] - before[1][0] == 1

    play(Scene(), story)


def test_clock_ahead_of_ours_is_no_negative_time() -> None:
    async def story(scene: Scene) -> None:
        scene.reader()
        count, total = observed(COMMIT_TO_WRITE_S)
        announced(scene, scene.log.commit(), ago_s=-500)
        assert observed(COMMIT_TO_WRITE_S) == (count + 1, total)

    play(Scene(), story)


@pytest.mark.parametrize("size", [3, MAX_ENTRIES + 1])
def test_healed_are_those_that_no_hint_brought(size: int) -> None:
    """By a small gap and by a wide one; their time from the commit is not known."""

    async def story(scene: Scene) -> None:
        scene.reader()
        healed, (count, _) = HEALED.total, observed(COMMIT_TO_WRITE_S)
        for _ in range(size):
            scene.log.commit()
        scene.check()
        await scene.tasks.settle()
        assert HEALED.total - healed == size
        announced(scene, scene.log.commit(), ago_s=0)
        assert HEALED.total - healed == size
        assert observed(COMMIT_TO_WRITE_S)[0] - count == 1

    play(Scene(), story)


def test_deliveries_of_a_block_are_counted_at_once(descriptors: Descriptors) -> None:
    """One addition for all its members, and as many as frames were written."""

    async def story(scene: Scene) -> None:
        readers: list[Reader] = [scene.reader(user) for user in range(CROWD)]
        for reader in readers:
            descriptors.give(reader)
        scene.arrive(scene.log.commit())  # it makes the block
        await scene.tasks.settle()
        before = DELIVERIES.total
        scene.arrive(scene.log.commit(), scene.log.commit())
        await scene.tasks.settle()
        assert descriptors.count == CROWD
        assert DELIVERIES.total - before == 2 * CROWD

    play(Scene(), story)


def test_breakers_are_told_by_their_states() -> None:
    """Closed, open, and letting one probe through."""
    now = [0.0]
    breaker = CircuitBreaker("tested", failures=1, wait_s=1.0, clock=lambda: now[0])

    def told() -> float:
        return async_to_sync(numbers)(None).gauges["breaker_state|tested"]

    assert told() == 0
    with pytest.raises(OSError, match="gone"), breaker.guarding(OSError):
        raise OSError("gone")
    assert told() == 2
    now[0] = 1.0
    with breaker.guarding(OSError):
        assert told() == 1
    assert told() == 0
