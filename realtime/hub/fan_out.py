"""From a stream to its subscriptions: in order, never two at a time, in slices.

The position of a fan-out moves before its first slice; whoever joins meanwhile starts there.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from realtime.hub.ring import Ring
from realtime.log.entries import Entry
from realtime.protocol.batch import Batch
from realtime.small import SmallSet

if TYPE_CHECKING:
    from realtime.hub.subscription import Subscription

SLICE = 500
JOIN_SIGNALS_S = 0.040
MAX_GATHERED = 256  # above either bound signals are lost, as they may be
MAX_GATHERED_BYTES = 65_536

Spawn = Callable[..., "asyncio.Task[None]"]
Due = tuple[int, Sequence[Entry], Sequence[bytes]]


class FanOut:
    """`position` is the highest seq handed to every subscription, or left to their catching up."""

    __slots__ = (
        "_gathered",
        "_gathered_bytes",
        "_last",
        "_ring",
        "_running",
        "_signalled_at",
        "_spawn",
        "position",
        "subscriptions",
    )

    def __init__(self, ring: Ring, spawn: Spawn) -> None:
        self.subscriptions: SmallSet[Subscription] = SmallSet()
        self.position = 0
        self._last = 0
        self._ring = ring
        self._spawn = spawn
        self._running = False
        self._signalled_at = -JOIN_SIGNALS_S
        self._gathered: list[bytes] | None = None
        self._gathered_bytes = 0

    def skip_to(self, last: int) -> None:
        """Push nothing up to `last`: the stream was opened, reset or jumped there."""
        self.position = self._last = last

    def run(self, last: int) -> None:
        """Hand out everything up to `last`, which the ring holds where it was not blanked."""
        self._last = last
        if self._running:
            return  # the running one goes on until it has reached `last`
        if len(self.subscriptions) <= SLICE:
            for first, entries, frames in self._due():
                for subscription in list(self.subscriptions):
                    subscription.take_live(first, entries, frames)
        else:
            self._running = True
            self._spawn(self._run_sliced())

    def signals(self, frames: Sequence[bytes]) -> None:
        """Write at the end of the loop's turn, or together with the others that come within 40 ms
        of the last ones: a hundred people who join a room within a second are told of in 25 writes
        to each, and those who come in one step in one."""
        if self._gathered is not None:
            for frame in frames:
                self._gather(frame)
            return
        loop = asyncio.get_running_loop()
        wait_s = self._signalled_at + JOIN_SIGNALS_S - loop.time()
        self._gathered, self._gathered_bytes = list(frames), sum(map(len, frames))
        if wait_s <= 0:
            loop.call_soon(self._write_gathered)
        else:
            loop.call_later(wait_s, self._write_gathered)

    def _gather(self, frame: bytes) -> None:
        gathered = self._gathered
        fits = self._gathered_bytes + len(frame) <= MAX_GATHERED_BYTES
        if gathered is not None and len(gathered) < MAX_GATHERED and fits:
            gathered.append(frame)
            self._gathered_bytes += len(frame)

    def _write_gathered(self) -> None:
        gathered, self._gathered = self._gathered, None
        self._signalled_at = asyncio.get_running_loop().time()
        batch = Batch(gathered or ())
        if len(self.subscriptions) <= SLICE:
            for subscription in list(self.subscriptions):
                subscription.take_signals(batch)
        else:
            self._spawn(self._write_sliced(batch))

    async def _write_sliced(self, batch: Batch) -> None:
        readers = list(self.subscriptions)
        for start in range(0, len(readers), SLICE):
            for subscription in readers[start : start + SLICE]:
                subscription.take_signals(batch)
            await asyncio.sleep(0)

    def _due(self) -> list[Due]:
        """What is not yet handed out, or nothing when the ring no longer holds it."""
        first = self.position + 1
        entries = self._ring.after(self.position)
        self.position = self._last
        if not entries:
            # Blanked or pushed out already: whoever is behind reads the log.
            for subscription in list(self.subscriptions):
                if subscription.cursor < self._last:
                    subscription.fall_behind()
            return []
        return [(first, entries, Batch([entry.frame or b"" for entry in entries]))]

    async def _run_sliced(self) -> None:
        """In a large room heartbeats and other streams get their turn between two slices."""
        try:
            while self.position < self._last:
                for first, entries, frames in self._due():
                    readers = list(self.subscriptions)
                    for start in range(0, len(readers), SLICE):
                        for subscription in readers[start : start + SLICE]:
                            subscription.take_live(first, entries, frames)
                        await asyncio.sleep(0)
        finally:
            self._running = False
