"""What the random orders do not reach: wide gaps, large rooms, redaction races, waiting."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from realtime.hub import stream as stream_module
from realtime.hub.ring import MAX_ENTRIES
from realtime.hub.stream import MAX_WAITING_SIGNALS, SLICE, HubStream
from realtime.hub.subscription import SubscriptionState
from realtime.log.entries import Entry
from tests.hub.fakes import BLANK, NAME, Log, Reader, Tasks


class Scene:
    """An opened stream over a log that answers at once."""

    def __init__(self, committed: int = 0) -> None:
        self.log, self.tasks = Log(), Tasks()
        for _ in range(committed):
            self.log.commit()
        self.stream = HubStream(NAME, self.log, self.tasks.spawn)  # type: ignore[arg-type]
        self.log.stream = self.stream

    def reader(self, user: int = 1) -> Reader:
        made, head = Reader(user, self.log, self.log.epoch), self.log.head
        made.follow(self.stream, cursor=head, authorized_at=head, target=head)
        return made

    def arrive(self, *entries: Entry) -> None:
        assert self.stream.arrive(self.log.epoch, entries)

    def check(self) -> None:
        self.stream.check(self.log.state, self.stream.noted())


def play(scene: Scene, story: Callable[[Scene], Awaitable[None]]) -> None:
    async def run() -> None:
        await scene.stream.open()
        await story(scene)
        await scene.tasks.settle()

    asyncio.run(run())


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_module, "GAP_WAIT_S", 0)


def catch_up(scene: Scene, reader: Reader) -> None:
    """As a socket's task does, from the ring or straight from the log."""
    subscription = reader.subscription
    assert subscription is not None
    while not subscription.go_live():
        cursor = subscription.cursor
        entries = scene.stream.ring.after(cursor) or scene.log.entries[cursor : cursor + 100]
        assert subscription.take_page(entries)


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


def test_large_room_gets_slices_that_do_not_overlap() -> None:
    """Other work gets its turn between slices, and what arrives meanwhile waits for the end."""

    async def story(scene: Scene) -> None:
        readers = [scene.reader() for _ in range(2 * SLICE + 100)]
        scene.arrive(scene.log.commit())
        assert not any(reader.seqs for reader in readers)
        await asyncio.sleep(0)
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
        await asyncio.sleep(0)
        waiting = [reader for reader in readers if not reader.seqs]
        assert len(waiting) == 10
        for reader in waiting:
            assert reader.subscription is not None
            if what == "end":
                reader.subscription.end()
            elif what == "lag":
                reader.writable = False
        if what == "reset":
            scene.log.lose_tail(1)
            scene.check()
        await scene.tasks.settle()
        assert not any(reader.seqs for reader in waiting)
        assert all(bool(reader.catching) is (what == "lag") for reader in waiting)

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
        for _ in range(5):
            await asyncio.sleep(0)
        assert len(reader.signals) == MAX_WAITING_SIGNALS
        while scene.tasks.running:
            await asyncio.sleep(0.001)
        for _ in range(2):
            scene.stream.signal(2, [b"signal"])
        scene.arrive(scene.log.commit())
        for _ in range(5):
            await asyncio.sleep(0)
        assert len(reader.signals) == MAX_WAITING_SIGNALS + 2

    play(Scene(), story)


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


def test_waiting_for_the_stream_to_move() -> None:
    """A long poll wakes with the event, or gives up when its time is over."""

    async def story(scene: Scene) -> None:
        assert not await scene.stream.beyond(0, 0.001)
        waiting = asyncio.ensure_future(scene.stream.beyond(0, 5))
        await asyncio.sleep(0)
        scene.arrive(scene.log.commit())
        assert await waiting
        assert await scene.stream.beyond(0, 0)
        assert scene.stream._waiters == []

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
