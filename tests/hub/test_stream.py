"""What the random orders do not reach: large rooms, rights that end, signals, waiting."""

import asyncio

import pytest

from realtime.hub import stream as stream_module
from realtime.hub.audience import SLICE
from realtime.hub.fan_out import JOIN_SIGNALS_S
from realtime.hub.stream import MAX_WAITING_SIGNALS
from realtime.hub.subscription import SubscriptionState
from tests.hub.fakes import Reader
from tests.hub.scene import Scene, catch_up, play

pytestmark = pytest.mark.usefixtures("no_waiting")


def test_large_room_gets_slices_that_do_not_overlap() -> None:
    """Other work gets its turn between slices, and what arrives meanwhile waits for the end."""

    async def story(scene: Scene) -> None:
        readers = [scene.reader() for _ in range(2 * SLICE + 100)]
        scene.arrive(scene.log.commit())
        served = [reader for reader in readers if reader.seqs]
        assert len(served) == SLICE
        scene.arrive(scene.log.commit(), scene.log.commit())
        late = scene.reader()
        assert late.subscription is not None
        assert late.subscription.state is SubscriptionState.LIVE
        await asyncio.sleep(0)
        assert sum(bool(reader.seqs) for reader in readers) == 2 * SLICE
        assert all(reader.seqs == [1] for reader in readers if reader.seqs)
        await scene.tasks.settle()
        assert all(reader.seqs == [1, 2, 3] for reader in readers)
        assert all(reader.writes == [1, 2] for reader in readers)
        assert late.seqs == []

    play(Scene(), story)


@pytest.mark.parametrize("what", ["end", "lag", "reset"])
def test_change_between_two_slices(what: str) -> None:
    """Whoever ends, lags or is reset there gets nothing of the running fan-out."""

    async def story(scene: Scene) -> None:
        readers = [scene.reader() for _ in range(SLICE + 10)]
        scene.arrive(scene.log.commit())
        waiting = [reader for reader in readers if not reader.seqs]
        assert len(waiting) == 10
        for reader in waiting:
            assert reader.subscription is not None
            if what == "end":
                reader.subscription.end()
            elif what == "lag":
                reader.lag()
        if what == "reset":
            scene.log.lose_tail(1)
            scene.check()
        await scene.tasks.settle()
        assert not any(reader.seqs for reader in waiting)
        assert all(bool(reader.catching) is (what == "lag") for reader in waiting)

    play(Scene(), story)


def test_right_that_ended_in_the_middle_of_a_batch() -> None:
    """Frames before the end are written, the end itself and what follows are not."""

    async def story(scene: Scene) -> None:
        leaver, stayer = scene.reader(user=1), scene.reader(user=2)
        scene.arrive(scene.log.commit(), scene.log.commit(ends="user.1"), scene.log.commit())
        assert (leaver.seqs, leaver.lost_at) == ([1], 2)
        assert stayer.seqs == [1, 2, 3]
        again = scene.reader(user=1)  # a member anew, authorised above the end
        scene.arrive(scene.log.commit(), scene.log.commit(ends="all"))
        assert again.seqs == [4]
        assert (again.lost_at, stayer.lost_at) == (5, 5)

    play(Scene(), story)


def test_end_below_the_authorisation_is_history() -> None:
    """Someone removed and taken back resumes from before the removal."""

    async def story(scene: Scene) -> None:
        scene.log.commit(ends="user.1")
        scene.log.commit()
        scene.check()
        await scene.tasks.settle()
        reader = Reader(1, scene.log, scene.log.epoch)
        reader.follow(scene.stream, cursor=0, authorized_at=2, target=2)
        catch_up(scene, reader)
        assert reader.seqs == [1, 2]
        assert reader.lost_at is None

    play(Scene(), story)


def test_signal_waits_for_the_event_that_it_is_about() -> None:
    """Behind the event's frame, or not at all."""

    async def story(scene: Scene) -> None:
        reader = scene.reader()
        entry = scene.log.commit()
        scene.stream.signal(1, [b"signal 1"])
        scene.stream.signal(9, [b"signal 9"])
        assert reader.signals == []
        scene.arrive(entry)
        while not reader.signals:
            await asyncio.sleep(0)
        assert (reader.seqs, reader.signals) == ([1], [b"signal 1"])
        await asyncio.sleep(stream_module.SIGNAL_WAIT_S)
        await scene.tasks.settle()
        assert reader.signals == [b"signal 1"]

    play(Scene(), story)


def test_waiting_signals_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bug: the bound looked at a list that nothing was ever added to."""
    monkeypatch.setattr(stream_module, "SIGNAL_WAIT_S", 0.01)

    async def story(scene: Scene) -> None:
        reader = scene.reader()
        for _ in range(3 * MAX_WAITING_SIGNALS):
            scene.stream.signal(1, [b"signal"])
        scene.arrive(scene.log.commit())
        while len(reader.signals) < MAX_WAITING_SIGNALS:
            await asyncio.sleep(0.001)
        await asyncio.sleep(2 * JOIN_SIGNALS_S)
        assert len(reader.signals) == MAX_WAITING_SIGNALS
        while scene.tasks.running:
            await asyncio.sleep(0.001)
        for _ in range(2):
            scene.stream.signal(2, [b"signal"])
        scene.arrive(scene.log.commit())
        await asyncio.sleep(2 * JOIN_SIGNALS_S)
        assert len(reader.signals) == MAX_WAITING_SIGNALS + 2

    play(Scene(), story)


def test_waiting_for_the_stream_to_move() -> None:
    """A long poll wakes with the event, or gives up when its time is over."""

    async def story(scene: Scene) -> None:
        assert not await scene.stream.beyond(0, 0.001)
        waiting = asyncio.ensure_future(scene.stream.beyond(0, 5))
        await asyncio.sleep(0)
        scene.arrive(scene.log.commit())
        assert await waiting
        assert await scene.stream.beyond(0, 0)
        assert not scene.stream._waiters

    play(Scene(), story)


def test_signals_of_a_crowd_are_joined() -> None:
    """Those of one turn of the loop go together and at once; those of the next 40 ms go together
    too, and no event waits for them."""

    async def story(scene: Scene) -> None:
        reader = scene.reader()
        signals = [b"signal %d" % number for number in range(5)]
        for one in signals[:2]:
            scene.stream.signal(0, [one])
        await asyncio.sleep(0)
        assert reader.signals == signals[:2]
        for one in signals[2:]:
            scene.stream.signal(0, [one])
        scene.arrive(scene.log.commit())
        assert reader.seqs == [1]
        while len(reader.signals) < 5:
            assert len(reader.signals) == 2
            await asyncio.sleep(0.001)
        assert reader.signals == signals

    play(Scene(), story)
