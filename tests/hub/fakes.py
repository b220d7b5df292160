"""A log in memory, and readers of streams that check every rule as frames reach them.

Fakes of the seams of the hub: `LogReader` (the database), `Sink` (a socket's writer), and write(2)
to the descriptors of such sinks.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from realtime.hub.reading import Gap, Opening
from realtime.hub.slices import write_in_python
from realtime.hub.stream import HubStream
from realtime.hub.subscription import Subscription
from realtime.log.entries import Entry, ends_rights_of
from realtime.log.reading import Moved, Standing, StreamState
from realtime.protocol.errors import Unavailable

if TYPE_CHECKING:
    from array import array

Answer = TypeVar("Answer")

NAME = "project.1"
BLANK = b"blank"
PAGE = 3  # small, so that catching up takes several pages


class Log:
    """What is committed. Each read is answered at two moments that the test decides: when its
    database snapshot is taken, and when the answer is back. `free` reads do not wait."""

    def __init__(self) -> None:
        self.epoch = "e1"
        self.entries: list[Entry] = []
        self.texts: dict[str, list[bytes]] = {"e1": []}  # of each epoch, as first written
        self.floor = 0
        self.free = True
        self.down = False
        self.reads = 0
        self.waiting: list[asyncio.Event] = []
        self.stream: HubStream | None = None

    # Writing

    @property
    def head(self) -> int:
        return len(self.entries)

    @property
    def state(self) -> StreamState:
        return StreamState(1, NAME, self.epoch, self.head, self.floor)

    def commit(self, *, ends: str | None = None, blanks: int | None = None) -> Entry:
        """Append an event; `blanks` takes the text of that seq away."""
        seq = self.head + 1
        if blanks is not None:
            old = self.entries[blanks - 1]
            self.entries[blanks - 1] = old._replace(frame=BLANK)
        entry = Entry(seq, f"{self.epoch}:{seq}".encode(), "new_message", ends, blanks)
        self.entries.append(entry)
        self.texts[self.epoch].append(entry.frame or b"")
        return entry

    def lose_tail(self, count: int) -> None:
        """As after a failover: another epoch, and the last seqs will be given again."""
        del self.entries[max(0, self.head - count) :]
        kept = self.texts[self.epoch][: self.head]
        self.epoch = f"e{int(self.epoch[1:]) + 1}"
        self.texts[self.epoch] = kept

    # Reading, with the face of `LogReader`

    async def _answer(self, take: Callable[[], Answer]) -> Answer:
        self.reads += 1
        await self._gate()
        answer = take()
        await self._gate()
        if self.down:
            raise Unavailable("expected the database to answer, got none")
        return answer

    async def _gate(self) -> None:
        if self.free:
            await asyncio.sleep(0)
            return
        gate = asyncio.Event()
        self.waiting.append(gate)
        await gate.wait()

    def step(self, number: int) -> None:
        """Let one of the waiting reads go on."""
        if self.waiting:
            self.waiting.pop(number % len(self.waiting)).set()

    def release(self) -> None:
        self.free = True
        while self.waiting:
            self.step(0)

    def _newest(self, limit: int) -> list[Entry]:
        return self.entries[-limit:]

    async def open(self, name: str, limit: int) -> Opening:
        return await self._answer(lambda: Opening(self.state, self._newest(limit)))

    async def gap(self, stream_id: int, seq: int, limit: int) -> Gap:
        def take() -> Gap:
            if self.head - seq > limit:
                return Gap(self.state, self._newest(limit), jump=True)
            return Gap(self.state, self.entries[seq : seq + limit], jump=False)

        return await self._answer(take)

    async def states(self, ids: Iterable[int]) -> list[StreamState]:
        return await self._answer(lambda: [self.state])

    async def moved(self, known: Mapping[int, Standing]) -> Moved:
        states = await self.states(known)
        return Moved(
            [one for one in states if known[one.id] != (one.epoch, one.head, one.floor)], ()
        )

    async def page(self, stream_id: int, after: int) -> list[Entry]:
        """A page of another epoch than the stream's is no page of the subscription's log."""
        assert self.stream is not None
        asked = self.stream.epoch

        def take() -> list[Entry]:
            return self.entries[after : after + PAGE] if self.epoch == asked else []

        return await self._answer(take)


@dataclass(eq=False)
class Reader:
    """A sink that asserts, frame by frame: contiguous, once, of its epoch, with rights."""

    user_id: int
    log: Log
    epoch: str
    credential: str = "key.1"
    descriptor: int = -1  # what is written there comes in by `taken_directly`
    narrow: bool = False  # a write to the descriptor takes only half of it
    held: bytes = b""  # a frame that has come in part
    full: bool = False  # its own writer has something, until the next write through it
    lagging: bool = False
    catching: list[Subscription] = field(default_factory=list)
    seqs: list[int] = field(default_factory=list)
    writes: list[int] = field(default_factory=list)
    signals: list[bytes] = field(default_factory=list)
    lost_at: int | None = None
    reset_by: str | None = None
    subscription: Subscription | None = None
    expected: int = 0

    @property
    def writable(self) -> bool:
        return not self.lagging

    @property
    def direct(self) -> "Reader | None":
        return None if self.lagging or self.full else self

    @property
    def codec(self) -> Callable[[Sequence[bytes]], bytes]:
        return lines

    def lag(self) -> None:
        self.lagging = True
        if self.subscription is not None:
            self.subscription.leave_block()

    def taken_directly(self, data: bytes) -> int:
        """As write(2): how much of it was taken."""
        assert not self.lagging
        assert not self.held, "expected the rest of a frame first"
        size = len(data) // 2 if self.narrow else len(data)
        self._come(data[:size])
        assert self.narrow or self._level
        return size

    def finish_nowait(self, rest: memoryview) -> None:
        assert self.subscription is not None
        self.subscription.leave_block()
        self.full = True
        self._come(bytes(rest))
        assert not self.held
        assert self._level

    def _come(self, data: bytes) -> None:
        *frames, self.held = (self.held + data).split(b"\n")
        for frame in frames:
            self._take([frame])

    @property
    def _level(self) -> bool:
        return self.subscription is not None and self.subscription.cursor == self.expected - 1

    @property
    def over(self) -> bool:
        return self.lost_at is not None or self.reset_by is not None

    def follow(self, stream: HubStream, *, cursor: int, authorized_at: int, target: int) -> None:
        self.expected = cursor + 1
        self.subscription = Subscription(
            stream, self, cursor=cursor, authorized_at=authorized_at, target=target
        )
        self.subscription.start()

    def write_nowait(self, frames: Sequence[bytes]) -> None:
        assert not self.held
        self.full = False
        self._take(frames)
        assert self._level

    def _take(self, frames: Sequence[bytes]) -> None:
        assert not self.over, "expected nothing after the end"
        if frames and frames[0].startswith(b"signal"):
            assert self.writable
            self.signals += frames
            return
        self.writes.append(len(frames))
        for frame in frames:
            written = self.log.texts[self.epoch][self.expected - 1]
            assert frame in {BLANK, written}, f"expected seq {self.expected}, {written!r}"
            self.seqs.append(self.expected)
            self.expected += 1

    def catch_up(self, subscription: Subscription) -> None:
        self.catching.append(subscription)

    def lost(self, subscription: Subscription, entry: Entry) -> None:
        assert not self.over
        assert entry.seq == self.expected
        assert entry.seq > subscription.authorized_at
        assert entry.ends is not None
        assert ends_rights_of(entry.ends, self.user_id, self.credential)
        self.lost_at = entry.seq

    def reset(self, subscription: Subscription, reason: str) -> None:
        assert not self.over
        self.reset_by = reason


class Descriptors:
    """write(2), one by one, for readers that are given a descriptor here."""

    def __init__(self) -> None:
        self._readers: list[Reader] = []
        self.count = 0  # of writes

    def give(self, reader: Reader) -> None:
        reader.descriptor = len(self._readers)
        self._readers.append(reader)

    def write_slice(self, descriptors: "array[int]", data: bytes) -> dict[int, int]:
        return write_in_python(descriptors, data, write=self._write)

    def _write(self, descriptor: int, data: bytes) -> int:
        self.count += 1
        return self._readers[descriptor].taken_directly(data)


def lines(frames: Sequence[bytes]) -> bytes:
    """The codec of these readers."""
    return b"".join(frame + b"\n" for frame in frames)


QUIET_TURNS = 20


class Tasks:
    """The hub's `spawn`: failures other than an absent database are failures of the test."""

    def __init__(self) -> None:
        self.running: set[asyncio.Task[None]] = set()
        self.failed: list[BaseException] = []

    def spawn(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        task = asyncio.get_running_loop().create_task(work)
        self.running.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self.running.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, Unavailable):
            self.failed.append(error)

    async def settle(self) -> None:
        """Run until nothing is left to do; slices of fan-outs are no tasks, so a few turns more."""
        quiet = 0
        for _ in range(10_000):
            quiet = 0 if self.running else quiet + 1
            if quiet > QUIET_TURNS:
                break
            await asyncio.sleep(0)
        assert not self.running, f"expected everything to end, got {self.running}"
        assert not self.failed, self.failed
