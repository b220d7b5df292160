"""From a stream to its subscriptions: in order, never two at a time, in slices.

The position of a fan-out moves before its first slice; whoever joins meanwhile starts there.
"""

import asyncio
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from realtime.hub.audience import BLOCKS_FROM, SLICE, Audience
from realtime.hub.ring import Ring
from realtime.log.entries import Entry
from realtime.metrics.core import COMMIT_TO_WRITE_S, FAN_OUT_S
from realtime.protocol.batch import Batch

if TYPE_CHECKING:
    from realtime.hub.subscription import Subscription

JOIN_SIGNALS_S = 0.040
MAX_GATHERED = 256  # above either bound signals are lost, as they may be
MAX_GATHERED_BYTES = 65_536

_OVER = object()


class Due(NamedTuple):
    """Entries that follow each other, `first` being the seq of the first."""

    first: int
    entries: Sequence[Entry]
    frames: Batch

    @property
    def last(self) -> int:
        return self.first + len(self.entries) - 1


class Gathering:
    """Signals of one stream that are written together; `written_at` is when the last ones were."""

    __slots__ = ("_bytes", "frames", "written_at")

    def __init__(self) -> None:
        self.written_at = -JOIN_SIGNALS_S
        self.frames: list[bytes] | None = None  # None while nothing waits to be written
        self._bytes = 0

    def begin(self, frames: Sequence[bytes]) -> None:
        self.frames, self._bytes = list(frames), sum(map(len, frames))

    def add(self, frame: bytes) -> None:
        frames = self.frames
        fits = self._bytes + len(frame) <= MAX_GATHERED_BYTES
        if frames is not None and len(frames) < MAX_GATHERED and fits:
            frames.append(frame)
            self._bytes += len(frame)


class FanOut:
    """`position` is the highest seq handed to every subscription, or left to their catching up."""

    __slots__ = (
        "_committed_at",
        "_gathering",
        "_last",
        "_ring",
        "_running",
        "_skips",
        "audience",
        "position",
    )

    def __init__(self, ring: Ring) -> None:
        self.audience = Audience()
        self.position = 0
        self._last = 0
        self._committed_at: float | None = None  # the earliest commit yet to be handed out
        self._ring = ring
        self._running = False  # in slices, which nothing else is done between
        self._skips = 0
        self._gathering: Gathering | None = None  # most streams never have a signal

    def skip_to(self, last: int) -> None:
        """Push nothing up to `last`: the stream was opened, reset or jumped there. A fan-out that
        is under way ends: what it has is of the log as it was."""
        self._skips += 1
        self._committed_at = None
        self.position = self._last = last

    def committed(self, at: float) -> None:
        """Something to be handed out was committed then, by the clock of whoever did it."""
        if self._committed_at is None or at < self._committed_at:
            self._committed_at = at

    def run(self, last: int) -> None:
        """Hand out everything up to `last`, which the ring holds where it was not blanked."""
        self._last = last
        if self._running:
            return  # the running one goes on until it has reached `last`
        if len(self.audience) <= SLICE:
            began, committed_at = time.perf_counter(), self._take_committed()
            for due in self._due():
                for _ in self._hand_out(due):
                    pass
            self._measure(began, committed_at)
        else:
            self._begin(self._in_slices())

    def _take_committed(self) -> float | None:
        found, self._committed_at = self._committed_at, None
        return found

    def _measure(self, began: float, committed_at: float | None) -> None:
        """Once per batch, whatever the number of its readers."""
        if not self.audience.blocks and not self.audience.singles:
            return
        FAN_OUT_S.observe(time.perf_counter() - began)
        if committed_at is not None:
            # Another machine's clock may be ahead of ours.
            COMMIT_TO_WRITE_S.observe(max(0.0, time.time() - committed_at))

    @property
    def running(self) -> bool:
        """Whether something is being handed out in slices."""
        return self._running

    @property
    def gathers(self) -> bool:
        """Whether signals wait to be written."""
        return self._gathering is not None and self._gathering.frames is not None

    def signals(self, frames: Sequence[bytes]) -> None:
        """Write at the end of the loop's turn, or together with the others that come within 40 ms
        of the last ones: a hundred people who join a room within a second are told of in 25 writes
        to each, and those who come in one step in one."""
        if self._gathering is None:
            self._gathering = Gathering()
        gathering = self._gathering
        if gathering.frames is not None:
            for frame in frames:
                gathering.add(frame)
            return
        loop = asyncio.get_running_loop()
        wait_s = gathering.written_at + JOIN_SIGNALS_S - loop.time()
        gathering.begin(frames)
        if wait_s <= 0:
            loop.call_soon(self._write_gathered, gathering)
        else:
            loop.call_later(wait_s, self._write_gathered, gathering)

    def _write_gathered(self, gathering: Gathering) -> None:
        """Not between the slices of a fan-out: who moves from one block to another then would be
        told twice, or not at all."""
        loop = asyncio.get_running_loop()
        if self._running:
            loop.call_later(JOIN_SIGNALS_S, self._write_gathered, gathering)
            return
        frames, gathering.frames = gathering.frames, None
        gathering.written_at = loop.time()
        batch = Batch(frames or ())
        if len(self.audience) <= SLICE:
            for _ in self._tell(batch):
                pass
        else:
            self._begin(self._in_slices(batch))

    def _tell(self, batch: Batch) -> Iterator[None]:
        """Stops before each slice. Who leaves a block on the way was written to there."""
        singles = list(self.audience.singles)
        for block in self.audience.blocks:
            yield
            block.write(batch)
        for readers in _slices(singles):
            yield
            for subscription in readers:
                subscription.take_signals(batch)

    def _due(self) -> list[Due]:
        """What is not yet handed out, or nothing when the ring no longer holds it."""
        first = self.position + 1
        entries = self._ring.after(self.position)
        self.position = self._last
        if not entries:
            # Blanked or pushed out already: whoever is behind reads the log.
            for subscription in self.audience:
                if subscription.cursor < self._last:
                    subscription.fall_behind()
            return []
        return [Due(first, entries, Batch([entry.frame or b"" for entry in entries]))]

    def _hand_out(self, due: Due) -> Iterator[None]:
        """Stops before each slice. A block is written to as one where nobody's right may end and
        all of the batch is new to it; its members are served one by one otherwise."""
        skips = self._skips
        together = all(entry.ends is None for entry in due.entries)
        for block in self.audience.blocks:
            yield
            if self._skips != skips:
                return
            if together and block.cursor == due.first - 1:
                block.write(due.frames, due.last)
            elif block.cursor < due.last:
                self.audience.dissolve(block)
        if self.audience.singles:
            worth_blocks = len(self.audience) >= BLOCKS_FROM
            for readers in _slices(self.audience.singles):
                yield
                if self._skips != skips:
                    return
                for subscription in readers:
                    self._hand_to(subscription, due, worth_blocks=worth_blocks)
        self.audience.compact()

    def _hand_to(self, subscription: "Subscription", due: Due, *, worth_blocks: bool) -> None:
        direct = subscription.sink.direct if worth_blocks else None
        if direct is None or direct.descriptor < 0:
            subscription.take_live(*due)
        elif subscription.take_live(*due):
            self.audience.settle(subscription)

    def _in_slices(self, signals: Batch | None = None) -> Iterator[None]:
        """In a large room heartbeats and other streams get their turn between two slices."""
        if signals is not None:
            yield from self._tell(signals)
        while self.position < self._last:
            began, committed_at = time.perf_counter(), self._take_committed()
            for due in self._due():
                yield from self._hand_out(due)
            self._measure(began, committed_at)

    def _begin(self, slices: Iterator[None]) -> None:
        """The first slice is written at once: a turn of the loop costs as much as many writes."""
        self._running = True
        try:
            next(slices, None)
        except BaseException:
            self._running = False
            raise
        self._go_on(slices)

    def _go_on(self, slices: Iterator[None]) -> None:
        goes_on = False
        try:
            goes_on = next(slices, _OVER) is not _OVER
        finally:
            self._running = goes_on
        if goes_on:
            asyncio.get_running_loop().call_soon(self._go_on, slices)


def _slices(subscriptions: "Iterable[Subscription]") -> "Iterator[list[Subscription]]":
    readers = list(subscriptions)
    for start in range(0, len(readers), SLICE):
        yield readers[start : start + SLICE]
