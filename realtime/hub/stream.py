"""One open stream: level with the log, in order, and fanned out.

Invariants: `last` never passes a seq whose frame is not in hand; `last` moves before the first
slice of a fan-out; fan-outs never overlap; another epoch, or a head below a `last` that was noted
before the head was read, means that the log lost its tail.
"""

import asyncio
import time
from collections.abc import Sequence
from typing import NamedTuple

from realtime.hub.audience import Audience
from realtime.hub.fan_out import FanOut
from realtime.hub.readers import Readers
from realtime.hub.reading import LogReader, Opening
from realtime.hub.ring import MAX_ENTRIES, Ring
from realtime.hub.traced import Spawn, arrival, follow
from realtime.hub.waiters import Waiters
from realtime.log.entries import Entry
from realtime.log.reading import Standing, StreamState
from realtime.metrics.core import HEALED
from realtime.protocol.positions import Position
from realtime.protocol.streams import group_of, is_personal
from realtime.tracing.traces import traces

GAP_WAIT_S = 0.010
SIGNAL_WAIT_S = 0.100
LEVEL_WAIT_S = 2.0
MAX_WAITING_SIGNALS = 64


class Noted(NamedTuple):
    """Where the stream stood before its row was read, and when; `resets` tells of one since."""

    last: int
    resets: int
    at: float


class HubStream:
    """`reader` reads the log; `spawn` starts a task that the hub looks after."""

    __slots__ = (
        "_blanked",
        "_early",
        "_fan_out",
        "_healing",
        "_known",
        "_pending",
        "_reader",
        "_redactions",
        "_resets",
        "_spawn",
        "_waiters",
        "_waiting_signals",
        "announced",
        "checked_at",
        "epoch",
        "floor",
        "group",
        "healed",
        "id",
        "last",
        "left_at",
        "name",
        "readers",
        "ring",
    )

    def __init__(self, name: str, reader: LogReader, spawn: Spawn) -> None:
        self.name = name
        self.group = group_of(name)
        self.id = 0
        self.epoch = ""
        self.last = 0
        self.floor = 0  # the highest trimmed seq, as last seen
        self.checked_at = 0.0  # when the newest look at the row began, by the monotonic clock
        self.ring = Ring()
        self.readers = Readers()
        self._fan_out = FanOut(self.ring)
        self.left_at: float | None = time.monotonic()  # since when nobody follows it
        self.healed = 0  # events that no hint brought in time
        self.announced = 0  # the highest seq that a hint, or this process itself, spoke of
        self._reader = reader
        self._spawn = spawn
        self._pending: dict[int, Entry] | None = None  # above `last`, where there are some
        self._known = 0  # the highest seq heard of
        self._healing: asyncio.Task[None] | None = None
        self._redactions = 0
        self._blanked = 0
        self._resets = 0
        self._early: tuple[
            tuple[str, Sequence[Entry]], ...
        ] = ()  # came while the stream was opened
        self._waiting_signals = 0
        self._waiters: Waiters | None = None  # where somebody waits

    @property
    def audience(self) -> Audience:
        return self._fan_out.audience

    # Opening and resetting

    async def open(self) -> None:
        """Read epoch, head and the newest frames. Raises NotFound, Unavailable.

        A person's own stream is open for every socket of theirs, and hardly ever resumed from: its
        frames are read when somebody wants them.
        """
        redactions = self._redactions
        self.checked_at = time.monotonic()
        newest = 0 if is_personal(self.name) else MAX_ENTRIES
        self._adopt(await self._reader.open(self.name, newest), redactions)
        early, self._early = self._early, ()
        for epoch, entries in early:
            self.arrive(epoch, entries)

    def open_as(self, row: StreamState, reader: int, read_at: float) -> None:
        """Open a person's own stream by its row, read before; what came since is yet to be found.

        read_at: when that reading began, by the monotonic clock.
        """
        self.checked_at = read_at
        self._adopt(Opening(row, (), (reader,)), self._redactions)

    def _adopt(self, opening: Opening, redactions: int) -> None:
        state = opening.state
        self.id, self.epoch, self.floor = state.id, state.epoch, state.floor
        self.last = self._known = self.announced = state.head
        self._fan_out.skip_to(state.head)
        self.readers = Readers(opening.readers)
        self.ring.clear()
        self.ring.extend(opening.entries)
        self._forget_redacted(redactions)

    def _forget_redacted(self, redactions: int) -> None:
        """A reading that began before a redaction may hold the text that it took away."""
        if redactions != self._redactions:
            self.ring.drop_up_to(self._blanked)

    def noted(self, at: float | None = None) -> Noted:
        """To be taken before the row is read, and given to `check` with it; `at` is now, where
        thousands share it."""
        return Noted(self.last, self._resets, time.monotonic() if at is None else at)

    @property
    def standing(self) -> Standing:
        """What the row must say for all to be well; none does where an event was not announced."""
        return (self.epoch, self.last if self.announced >= self.last else -1, self.floor)

    def check(self, state: StreamState, noted: Noted) -> None:
        """Compare with the row. What was read before a reset says nothing of the new log."""
        if noted.resets != self._resets:
            return
        self.floor = state.floor
        self.checked_at = noted.at
        if state.epoch != self.epoch or state.head < noted.last:
            self._reset(state)
        elif state.head > self.last:
            self._known = max(self._known, state.head)
            self._heal_soon()

    def _reset(self, state: StreamState) -> None:
        self._resets += 1
        self._pending = None
        self.ring.clear()
        self.readers.forget()
        self.epoch = state.epoch
        self.last = self._known = self.announced = state.head
        self._fan_out.skip_to(state.head)
        for subscription in self.audience:
            subscription.reset("epoch")
        self._wake(everyone=True)

    # Resuming from memory

    @property
    def state(self) -> StreamState:
        """As far as the hub has come."""
        return StreamState(self.id, self.name, self.epoch, self.last, self.floor)

    def serves(self, since: Position | None, user_id: int) -> bool:
        """Whether this reader can go on from `since` (or begin now) without the database: all
        that follows is in the ring, and the right to read is known as of `last`, which is then
        its `authorized_at`."""
        return (
            bool(self.epoch) and user_id in self.readers and (since is None or self._holds(since))
        )

    def _holds(self, since: Position) -> bool:
        if since.epoch != self.epoch or since.seq < self.floor:
            return False
        return since.seq == self.last or (since.seq < self.last and self.ring.reaches(since.seq))

    async def level(self) -> bool:
        """Come level with the log as of now; thousands who ask for it share one read.

        False when that took longer than 2 s, or the log is another one. Raises Unavailable.
        """
        noted = self.noted()
        for state in await self._reader.states([self.id]):
            self.check(state, noted)
            if state.epoch == self.epoch:
                return await self.beyond(state.head - 1, LEVEL_WAIT_S)
        return False

    def admit(self, user_id: int, read: StreamState) -> None:
        """The right was found in the database together with `read`. What was read below `last`
        says nothing: the right may have ended in between."""
        if read.epoch == self.epoch and read.head >= self.last:
            self.readers.admit(user_id)

    # Arriving

    def arrive(
        self, epoch: str, entries: Sequence[Entry], committed_at: float | None = None
    ) -> bool:
        """Entries by hint or from the own process, in any order, any number of times.

        Returns False when they speak of another epoch: then the row must be looked at.
        """
        if not self.epoch:
            if len(self._early) < MAX_ENTRIES:
                self._early = (*self._early, (epoch, entries))
            return True
        if epoch != self.epoch:
            return False
        for entry in entries:
            self.announced = max(self.announced, entry.seq)
            if entry.seq <= self.last:
                continue
            self._known = max(self._known, entry.seq)
            if committed_at is not None:
                self._fan_out.committed(committed_at)
            if entry.frame is not None:
                self._put_off(entry, MAX_ENTRIES)
        self._advance()
        return True

    def _put_off(self, entry: Entry, most: int) -> None:
        if self._pending is None:
            self._pending = {}
        if len(self._pending) < most:
            self._pending[entry.seq] = entry

    def _advance(self) -> None:
        """Take what joins `last`; what then is still missing is read after a short wait."""
        pending, run = self._pending or {}, []
        while (entry := pending.pop(self.last + 1, None)) is not None:
            run.append(entry)
            self.last = entry.seq
        if run:
            self._keep(run)
            self._wake()
            followed = arrival(self.name, run)
            self._fan_out.run(self.last)
            if followed is not None:
                follow(followed, self._fan_out, self._spawn)
        # Looked at anew: a sink that was written to may have come back here.
        above = {seq: entry for seq, entry in (self._pending or {}).items() if seq > self.last}
        self._pending = above or None
        if self._known > self.last:
            self._heal_soon()

    def _keep(self, run: Sequence[Entry]) -> None:
        self.ring.extend(run)
        self.readers.move(run)
        for entry in run:
            if entry.blanks is not None:
                self._redactions += 1
                self._blanked = max(self._blanked, entry.blanks)
                self.ring.drop_up_to(entry.blanks)

    # Healing

    def _heal_soon(self) -> None:
        if self._healing is None or self._healing.done():
            self._healing = self._spawn(self._heal())

    async def _heal(self) -> None:
        """Wait for what may just be late, then read the gap: once per process."""
        await asyncio.sleep(GAP_WAIT_S)
        while self._known > self.last:
            redactions, known, noted = self._redactions, self._known, self.noted()
            gap = await self._reader.gap(self.id, self.last, MAX_ENTRIES)
            if noted.resets != self._resets:
                continue  # it was read from the log that is gone
            if gap.state.epoch != self.epoch or gap.state.head < noted.last:
                self._reset(gap.state)
                return
            # What was heard of during the reading may not be in it; older hearsay ends here.
            if self._known == known:
                self._known = max(gap.state.head, self.last)
            if gap.jump:
                self._jump(gap.entries, gap.state.head, redactions)
                continue
            fresh = [entry for entry in gap.entries if entry.seq > self.last]
            self._heard_late(len(fresh))
            if (found := traces()) is not None:
                found.healed(self.name, fresh)
            for entry in fresh:
                self._put_off(entry, 2 * MAX_ENTRIES)
            if not fresh and self._known > self.last:
                return  # heard of before its commit is visible here; the next check asks again
            self._advance_healed(redactions)

    def _heard_late(self, count: int) -> None:
        self.healed += count
        HEALED.total += count

    def _advance_healed(self, redactions: int) -> None:
        self._advance()
        self._forget_redacted(redactions)

    def _jump(self, newest: Sequence[Entry], head: int, redactions: int) -> None:
        """Of a wide gap nothing is pushed: subscriptions catch up from the log."""
        if head <= self.last:
            return
        self._heard_late(head - self.last)
        self.ring.clear()
        self.ring.extend(newest)
        self._forget_redacted(redactions)
        self.readers.forget()
        self.last = head
        self._fan_out.skip_to(head)
        for subscription in self.audience:
            subscription.fall_behind()
        self._wake()
        self._advance()

    # Signals

    def signal(self, after: int, frames: Sequence[bytes]) -> None:
        """Deliver now, or as soon as the events that it is about have been; else drop it."""
        if self.last >= after:
            self._fan_out.signals(frames)
        elif self._waiting_signals < MAX_WAITING_SIGNALS:
            self._known = max(self._known, after)
            self._heal_soon()
            self._waiting_signals += 1
            self._spawn(self._signal_later(after, frames))

    async def _signal_later(self, after: int, frames: Sequence[bytes]) -> None:
        try:
            if await self.beyond(after - 1, SIGNAL_WAIT_S):
                self._fan_out.signals(frames)
        finally:
            self._waiting_signals -= 1

    # Waiting and leaving

    async def beyond(self, seq: int, timeout_s: float) -> bool:
        """Wait until `last` is above `seq`; False when the time is over first."""
        if self.last > seq:
            return True
        if self._waiters is None:
            self._waiters = Waiters()
        try:
            return await self._waiters.wait(seq, timeout_s) or self.last > seq
        finally:
            self.left()

    def _wake(self, *, everyone: bool = False) -> None:
        if self._waiters is not None:
            self._waiters.wake(self.last, everyone=everyone)
            if not self._waiters:
                self._waiters = None

    def left(self) -> None:
        """Note since when nobody follows the stream."""
        self.left_at = None if self.audience or self._waiters else time.monotonic()

    def touch(self) -> None:
        """Start the time of keeping an unfollowed stream open anew."""
        if self.left_at is not None:
            self.left_at = time.monotonic()

    @property
    def idle_since(self) -> float | None:
        """Since when nobody follows it, None while somebody does."""
        if self.audience or self._waiters:
            self.left_at = None
        elif self.left_at is None:
            self.left_at = time.monotonic()
        return self.left_at
