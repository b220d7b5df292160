"""The rules of the read path (design section 4), under any order of what may happen."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime.hub import audience, fan_out
from realtime.hub import stream as stream_module
from realtime.hub.stream import HubStream
from realtime.hub.subscription import Subscription, SubscriptionState
from realtime.log.entries import Entry
from tests.hub.fakes import BLANK, NAME, Descriptors, Log, Reader, Tasks

USERS = 3


class Room:
    """One stream, its log, what is on the way, and its readers; each method is one occurrence."""

    def __init__(self) -> None:
        self.log = Log()
        self.tasks = Tasks()
        self.stream = HubStream(NAME, self.log, self.tasks.spawn)  # type: ignore[arg-type]
        self.log.stream = self.stream
        self.hints: list[tuple[str, list[Entry]]] = []
        self.readers: list[Reader] = []
        self.descriptors = Descriptors()
        self.ended: dict[int, int] = {}  # user: seq of the end

    async def open(self, present: int) -> None:
        """`present` readers are there, live, before reads of the log begin to take time."""
        await self.stream.open()
        for number in range(present):
            await self._join(4 * number)
        self.log.free = False

    async def run(self, what: str, number: int) -> None:
        getattr(self, what)(number)
        for _ in range(number % 3):
            await asyncio.sleep(0)
        self.catch_up_all()

    # Occurrences

    def commit(self, number: int) -> None:
        self.hints.append((self.log.epoch, [self.log.commit()]))

    def commit_by_position(self, number: int) -> None:
        """A frame too large for a hint."""
        self.hints.append((self.log.epoch, [self.log.commit()._replace(frame=None)]))

    def redact(self, number: int) -> None:
        if self.log.head:
            entry = self.log.commit(blanks=1 + number % self.log.head)
            self.hints.append((self.log.epoch, [entry]))

    def end(self, number: int) -> None:
        user = number % USERS
        if user not in self.ended:
            entry = self.log.commit(ends=f"user.{user}")
            self.ended[user] = entry.seq
            self.hints.append((self.log.epoch, [entry]))

    def deliver(self, number: int) -> None:
        if self.hints:
            self._arrive(*self.hints.pop(number % len(self.hints)))

    def duplicate(self, number: int) -> None:
        if self.hints:
            self._arrive(*self.hints[number % len(self.hints)])

    def drop(self, number: int) -> None:
        if self.hints:
            self.hints.pop(number % len(self.hints))

    def _arrive(self, epoch: str, entries: list[Entry]) -> None:
        if not self.stream.arrive(epoch, entries):
            self.check(0)

    def check(self, number: int) -> None:
        self.tasks.spawn(self._check())

    async def _check(self) -> None:
        noted = self.stream.noted()
        for state in await self.log.states([1]):
            self.stream.check(state, noted)

    def step(self, number: int) -> None:
        self.log.step(number)

    def join(self, number: int) -> None:
        self.tasks.spawn(self._join(number))

    async def _join(self, number: int) -> None:
        """As the command does it: the right and the head in one snapshot, then the hub."""
        for _ in range(3):
            await self.log._gate()
            user, state = number % USERS, self.log.state
            allowed = user not in self.ended
            await self.log._gate()
            if not allowed:
                return
            if self.stream.epoch != state.epoch:
                await self._check()
            if self.stream.epoch == state.epoch:
                break
        else:
            return
        reader = Reader(user, self.log, state.epoch)
        if number % 5:
            self.descriptors.give(reader)
        self.readers.append(reader)
        cursor = max(state.floor, state.head - number % 4)
        reader.follow(self.stream, cursor=cursor, authorized_at=state.head, target=state.head)

    def leave(self, number: int) -> None:
        if (reader := self._some(number)) is not None and reader.subscription is not None:
            reader.subscription.end()
            self.readers.remove(reader)

    def lag(self, number: int) -> None:
        if (reader := self._some(number)) is not None:
            if reader.lagging:
                reader.lagging = False
            else:
                reader.lag()

    def narrow(self, number: int) -> None:
        """Its socket takes a part of each write from now on, or the whole of it again."""
        if (reader := self._some(number)) is not None:
            reader.narrow = not reader.narrow

    def fail_over(self, number: int) -> None:
        """Seqs after the lost tail are given again, with another text."""
        self.log.lose_tail(number % 3)
        self.ended = {u: seq for u, seq in self.ended.items() if seq <= self.log.head}

    def signal(self, number: int) -> None:
        self.stream.signal(max(0, self.log.head - number % 2), [b"signal"])

    # Catching up, as a socket's own task does it

    def _some(self, number: int) -> Reader | None:
        return self.readers[number % len(self.readers)] if self.readers else None

    def catch_up_all(self) -> None:
        for reader in self.readers:
            if reader.writable:
                while reader.catching:
                    self.tasks.spawn(self._catch_up(reader, reader.catching.pop()))

    async def _catch_up(self, reader: Reader, subscription: Subscription) -> None:
        while subscription.state is SubscriptionState.CATCHING_UP and not subscription.go_live():
            entries: Any = self.stream.ring.after(subscription.cursor)
            if not entries:
                entries = await self.log.page(1, subscription.cursor)
            if subscription not in self.stream.audience:
                return
            if not subscription.take_page(entries):
                subscription.reset("epoch")

    # The end

    async def quiet(self) -> None:
        """Everything arrives that was on its way; lost hints are found by the position check."""
        self.log.release()
        for _ in range(3):
            for reader in self.readers:
                reader.lagging = False
            self.catch_up_all()
            self.check(0)
            await self.tasks.settle()

    def verify(self) -> None:
        log, stream = self.log, self.stream
        assert (stream.epoch, stream.last) == (log.epoch, log.head)
        held = stream.ring.after((stream.ring.first or 1) - 1) or []
        assert list(held) == log.entries[log.head - len(held) :]
        for reader in self.readers:
            assert reader.subscription is not None
            if reader.reset_by is not None:
                assert reader.epoch != log.epoch, "expected a reset by another epoch only"
                continue
            if reader.lost_at is not None:
                assert reader.expected == reader.lost_at
                continue
            assert reader.epoch == log.epoch
            assert reader.subscription.state is SubscriptionState.LIVE
            assert reader.expected == log.head + 1
            end = self.ended.get(reader.user_id)
            assert end is None or end <= reader.subscription.authorized_at


OCCURRENCES = (
    *["commit"] * 5,
    "commit_by_position",
    "redact",
    "end",
    *["deliver"] * 5,
    "duplicate",
    "drop",
    "check",
    *["step"] * 6,
    *["join"] * 3,
    "leave",
    *["lag"] * 2,
    "narrow",
    "fail_over",
    "signal",
)


@pytest.fixture(autouse=True)
def no_waiting() -> Iterator[None]:
    """A gap is read at once: what happens during the 10 ms is among the occurrences anyway. Rooms
    are small: so are slices, and blocks."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stream_module, "GAP_WAIT_S", 0)
        patch.setattr(stream_module, "SIGNAL_WAIT_S", 0.001)
        patch.setattr(fan_out, "BLOCKS_FROM", 2)
        for module in (fan_out, audience):
            patch.setattr(module, "SLICE", 2)
        yield


@settings(max_examples=600, deadline=None)
@given(
    before=st.integers(0, 5),
    present=st.integers(0, 5),
    steps=st.lists(
        st.tuples(st.sampled_from(OCCURRENCES), st.integers(0, 11)), min_size=5, max_size=60
    ),
)
def test_every_order_of_occurrences_keeps_the_rules(
    before: int, present: int, steps: list[tuple[str, int]]
) -> None:
    """Each reader gets its range once, in order, of one epoch, up to the end of its right; the
    ring holds no text that was taken away; and nobody is left behind."""

    async def scenario() -> None:
        room = Room()
        patch.setattr(audience, "write_slice", room.descriptors.write_slice)
        for _ in range(before):
            room.log.commit()
        await room.open(present)
        for what, number in steps:
            await room.run(what, number)
        await room.quiet()
        room.verify()

    with pytest.MonkeyPatch.context() as patch:
        asyncio.run(scenario())


def test_blank_is_what_a_redacted_frame_reads() -> None:
    """The check above would be blind if a redaction left the text."""
    log = Log()
    log.commit()
    log.commit(blanks=1)
    assert [entry.frame for entry in log.entries] == [BLANK, b"e1:2"]
