"""From a commit to every node: the process's one publisher.

`announce` is called after a commit, in whatever thread that was. It hands the entries to the
process's own hub at once and queues a hint for the other nodes; it never waits and never raises
for Redis. One thread with one event loop sends what gathered, joined per stream: a `group_send`
costs about 0.2 ms of CPU whatever it carries.
A hint is at most once. What is dropped here is counted, and healed by every node's position check.
"""

import asyncio
import atexit
import logging
import os
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import uvloop
from channels.layers import InMemoryChannelLayer, get_channel_layer

from realtime.breaker import BreakerOpen, CircuitBreaker
from realtime.log.entries import Entry
from realtime.metrics.core import PUBLISHED
from realtime.protocol.frames import MAX_HINT_FRAME_BYTES
from realtime.protocol.streams import group_of
from realtime.tracing.traces import traces

logger = logging.getLogger(__name__)

QUEUE_LIMIT = 20_000  # announcements; above either bound the newest hint is dropped and counted
QUEUE_BYTES = 67_108_864  # of their frames
# A new connection takes five round trips: a shorter time would shut a slow network out for ever.
SEND_TIMEOUT_S = 4.0
FLUSH_TIMEOUT_S = 1.0
BATCH_BYTES = 262_144  # of frames in one hint

HINT_EVENTS = "realtime.events"  # the only two message types that nodes accept from a group
HINT_SIGNALS = "realtime.signals"
HINT_JOBS = "realtime.jobs"  # and the one that workers accept
JOBS_GROUP = "jobs"  # no stream has this name


@dataclass(frozen=True, slots=True)
class _Announcement:
    stream: str
    epoch: str
    entries: tuple[Entry, ...]
    signal: tuple[int, bytes] | None = None  # (after, frame)
    jobs: tuple[int, ...] | None = None  # those to be cancelled; () when some were enqueued
    committed_at: float = 0.0  # by this machine's clock

    @property
    def size(self) -> int:
        """Bytes of frames that a hint would carry."""
        size = len(self.signal[1]) if self.signal is not None else 0
        return size + sum(len(entry.frame or b"") for entry in self.entries)


LocalHub = Callable[[str, str, Sequence[Entry]], None]
LocalSignals = Callable[[str, int, bytes], None]


class Publisher:
    """The queue and its thread. Counters are read by status and by tests."""

    def __init__(self) -> None:
        self.sent = 0
        self.dropped = 0
        self.failed = 0
        # Without it each stream's hint would wait for a Redis that hangs, and late hints follow
        # its return. It is tried again before nodes leave polling, which takes 3 s.
        self.breaker = CircuitBreaker(
            "publisher", part="channel_layer", failures=3, wait_s=0.5, max_wait_s=2.0
        )
        self._queue: deque[_Announcement] = deque()
        self._queued_bytes = 0
        self._turn = threading.Lock()  # of the queue and its size
        self._idle = threading.Event()
        self._idle.set()
        self._start = threading.Lock()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wake: asyncio.Event | None = None

    @property
    def queued(self) -> int:
        """Announcements that wait."""
        return len(self._queue)

    def put_nowait(self, announcement: _Announcement) -> None:
        if isinstance(get_channel_layer(), InMemoryChannelLayer):
            return  # one process: the local hub has been told already
        size = announcement.size
        with self._turn:
            if len(self._queue) >= QUEUE_LIMIT or self._queued_bytes + size > QUEUE_BYTES:
                self.dropped += 1
                return
            self._idle.clear()
            self._queue.append(announcement)
            self._queued_bytes += size
        if self._thread is None:
            self._begin()
        loop, wake = self._loop, self._wake
        if loop is not None and wake is not None:
            loop.call_soon_threadsafe(wake.set)

    def _begin(self) -> None:
        with self._start:
            if self._thread is None:
                atexit.register(self.flush)
                self._thread = threading.Thread(
                    target=self._run, name="realtime-publisher", daemon=True
                )
                self._thread.start()

    def flush(self, timeout_s: float = FLUSH_TIMEOUT_S) -> bool:
        """Wait until everything queued has been sent or given up; False when time ran out."""
        deadline = time.monotonic() + timeout_s
        while self._idle.wait(max(0.0, deadline - time.monotonic())):
            if not self._queue:
                return True
            time.sleep(0.001)  # the thread is just about to clear the flag
        return False

    def _run(self) -> None:
        uvloop.run(self._serve())

    async def _serve(self) -> None:
        """The thread's loop; it ends with the process."""
        layer = get_channel_layer()
        self._wake = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        while True:
            self._wake.clear()
            with self._turn:
                gathered = list(self._queue)
                self._queue.clear()
                self._queued_bytes = 0
            for stream, message in _joined(gathered):
                await self._send(layer, stream, message)
            if not self._queue:
                self._idle.set()
                # What was queued between the look and the setting has set `_wake` as well.
                await self._wake.wait()
                self._idle.clear()

    async def _send(self, layer: Any, stream: str, message: dict[str, Any]) -> None:
        followed = traces()
        if followed is not None and (marks := followed.hinted(stream, message)):
            message["trace"] = marks
        began = time.time()
        try:
            with self.breaker.guarding(Exception):
                async with asyncio.timeout(SEND_TIMEOUT_S):
                    await layer.group_send(group_of(stream), message)
            self.sent += 1
            if followed is not None:
                followed.published(stream, message.get("trace", ()), began)
        except BreakerOpen:
            self.dropped += 1
        except Exception as error:  # noqa: BLE001 - the layer may fail in any way; a hint may be lost
            # Not a warning: with no server running, as in a shell, there is nobody to tell. A
            # server's own relay says when the layer is away.
            self.failed += 1
            logger.debug("hint not sent stream=%s error=%r", stream, error)


def _joined(gathered: Sequence[_Announcement]) -> list[tuple[str, dict[str, Any]]]:
    """One message per stream and kind, events in seq order; large frames as positions only.

    Signals that were announced before the first of their stream's events go before them: progress
    is not to be told after its end, however long the first connection took.
    """
    events: dict[tuple[str, str], list[Entry]] = {}
    committed: dict[tuple[str, str], float] = {}  # the first of them
    early: dict[str, list[tuple[int, bytes]]] = {}
    signals: dict[str, list[tuple[int, bytes]]] = {}
    jobs = [one.jobs for one in gathered if one.jobs is not None]
    for one in gathered:
        if one.jobs is not None:
            continue
        if one.signal is not None:
            signals.setdefault(one.stream, []).append(one.signal)
        else:
            if one.stream in signals and (one.stream, one.epoch) not in events:
                early.setdefault(one.stream, []).extend(signals.pop(one.stream))
            events.setdefault((one.stream, one.epoch), []).extend(one.entries)
            committed.setdefault((one.stream, one.epoch), one.committed_at)
    messages: list[tuple[str, dict[str, Any]]] = []
    for (stream, epoch), entries in events.items():
        entries.sort(key=lambda entry: entry.seq)
        if stream in early:
            messages.append((stream, _signals(stream, early.pop(stream))))
        at = committed[stream, epoch]
        messages += [(stream, _hint(stream, epoch, part, at)) for part in _parts(entries)]
    messages += [(stream, _signals(stream, waiting)) for stream, waiting in signals.items()]
    if jobs:
        cancelled = sorted({number for ids in jobs for number in ids})
        messages.append((JOBS_GROUP, {"type": HINT_JOBS, "cancelled": cancelled}))
    return messages


def _parts(entries: Sequence[Entry]) -> list[list[Entry]]:
    parts: list[list[Entry]] = []
    size = BATCH_BYTES + 1
    for entry in entries:
        length = len(entry.frame or b"")
        carried = entry if length <= MAX_HINT_FRAME_BYTES else entry._replace(frame=None)
        size += len(carried.frame or b"")
        if size > BATCH_BYTES:
            parts.append([])
            size = len(carried.frame or b"")
        parts[-1].append(carried)
    return parts


def _hint(stream: str, epoch: str, entries: Sequence[Entry], at: float) -> dict[str, Any]:
    listed = [list(entry) for entry in entries]
    return {"type": HINT_EVENTS, "stream": stream, "epoch": epoch, "entries": listed, "at": at}


def _signals(stream: str, waiting: Sequence[tuple[int, bytes]]) -> dict[str, Any]:
    """Signals have no seq to be known by, so the node that made them skips its own copy."""
    listed = [list(one) for one in waiting]
    return {"type": HINT_SIGNALS, "stream": stream, "origin": origin(), "signals": listed}


_publisher = Publisher()
_local: tuple[LocalHub, LocalSignals] | None = None
_origin = uuid.uuid4().hex


def origin() -> str:
    """This process, as the other nodes may know it."""
    return _origin


def publisher() -> Publisher:
    return _publisher


def _after_fork() -> None:
    """A forked worker has neither the thread nor the hub of its parent."""
    global _publisher, _local, _origin
    _publisher = Publisher()
    _local = None
    _origin = uuid.uuid4().hex


os.register_at_fork(after_in_child=_after_fork)


def attach_local_hub(events: LocalHub, signals: LocalSignals) -> None:
    """Both are called from any thread and must not wait."""
    global _local
    _local = (events, signals)


def detach_local_hub() -> None:
    global _local
    _local = None


def _hand_over(hub: Callable[..., None], *arguments: Any) -> None:
    try:
        hub(*arguments)
    except RuntimeError as error:
        # Its event loop has ended, and with it the sockets of this process; others have theirs.
        logger.debug("own hub not told error=%r", error)


def announce(stream: str, epoch: str, entries: Sequence[Entry]) -> None:
    """Tell the local hub and, by hint, all nodes of committed entries. Never waits."""
    if (found := traces()) is not None:
        found.committed(stream, entries)
    if (local := _local) is not None:
        _hand_over(local[0], stream, epoch, entries)
    now = time.time()
    _publisher.put_nowait(_Announcement(stream, epoch, tuple(entries), committed_at=now))
    for entry in entries:
        PUBLISHED.add(entry.type)


def announce_signal_here(stream: str, after: int, frame: bytes) -> None:
    """As `announce_signal`, to the readers of this node alone."""
    if (local := _local) is not None:
        _hand_over(local[1], stream, after, frame)


def announce_signal(stream: str, after: int, frame: bytes) -> None:
    """As `announce`, for a signal; nodes drop one that they cannot place."""
    announce_signal_here(stream, after, frame)
    _publisher.put_nowait(_Announcement(stream, "", (), (after, frame)))


def announce_jobs(cancelled: Sequence[int] = ()) -> None:
    """Hint to workers that jobs wait, or that these running ones are to end. Never waits."""
    _publisher.put_nowait(_Announcement(JOBS_GROUP, "", (), jobs=tuple(cancelled)))
