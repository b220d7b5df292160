"""From a commit to every node: the process's one publisher.

`announce` is called after a commit, in whatever thread that was. It hands the entries to the
process's own hub at once and queues a hint for the other nodes; it never waits and never raises
for Redis. What gathered is sent in turns, joined per stream, of which one is under way at a time:
where a hub is, by its event loop, which the entries wake anyway (`realtime.hints.outlet`);
elsewhere, as in a shell, by one thread with an event loop of its own.
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
from typing import Any

import uvloop
from channels.layers import InMemoryChannelLayer, get_channel_layer

from realtime.breaker import BreakerOpen, CircuitBreaker
from realtime.hints.joining import (
    HINT_EVENTS,
    HINT_JOBS,
    HINT_SIGNALS,
    JOBS_GROUP,
    Announcement,
    joined,
)
from realtime.hints.outlet import Marks, Outlet, mark
from realtime.log.entries import Entry
from realtime.metrics.core import PUBLISHED
from realtime.protocol.streams import group_of
from realtime.tracing.traces import traces

__all__ = ["HINT_EVENTS", "HINT_JOBS", "HINT_SIGNALS", "JOBS_GROUP"]

logger = logging.getLogger(__name__)

QUEUE_LIMIT = 20_000  # announcements; above either bound the newest hint is dropped and counted
QUEUE_BYTES = 67_108_864  # of their frames
# A new connection takes five round trips: a shorter time would shut a slow network out for ever.
SEND_TIMEOUT_S = 4.0
FLUSH_TIMEOUT_S = 1.0

LocalHub = Callable[[str, str, Sequence[Entry]], None]
LocalSignals = Callable[[str, int, bytes], None]


class Publisher:
    """The queue, and who empties it. Counters are read by status and by tests."""

    def __init__(self) -> None:
        self.sent = 0
        self.dropped = 0
        self.failed = 0
        # Without it each stream's hint would wait for a Redis that hangs, and late hints follow
        # its return. It is tried again before nodes leave polling, which takes 3 s.
        self.breaker = CircuitBreaker(
            "publisher", part="channel_layer", failures=3, wait_s=0.5, max_wait_s=2.0
        )
        self.outlet: Outlet | None = None
        self._queue: deque[Announcement] = deque()
        self._queued_bytes = 0
        self._sending = False  # a turn is under way, by the outlet or by the thread
        self._lock = threading.Lock()  # of the three above, and of the setting of the next
        self._idle = threading.Event()
        self._idle.set()
        self._start = threading.Lock()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiting: asyncio.Event | None = None

    @property
    def queued(self) -> int:
        """Announcements that wait."""
        return len(self._queue)

    def put_nowait(self, announcement: Announcement) -> None:
        if isinstance(get_channel_layer(), InMemoryChannelLayer):
            return  # one process: the local hub has been told already
        size = announcement.size
        with self._lock:
            if len(self._queue) >= QUEUE_LIMIT or self._queued_bytes + size > QUEUE_BYTES:
                self.dropped += 1
                return
            self._idle.clear()
            self._queue.append(announcement)
            self._queued_bytes += size
            if self._sending:
                return  # the end of that turn begins the next
        self.wake()

    def wake(self) -> None:
        """Have somebody begin a turn, from any thread."""
        outlet = self.outlet
        if outlet is not None and outlet.wake():
            return
        if self._thread is None:
            self._begin_thread()
        loop, waiting = self._loop, self._waiting
        if loop is not None and waiting is not None:
            loop.call_soon_threadsafe(waiting.set)

    def begin(self, limit: int = QUEUE_LIMIT) -> list[Announcement]:
        """What is to be sent now, at most so many; nothing while somebody else is at it. `end` is
        to be called when it was sent or given up: meanwhile the rest gathers."""
        with self._lock:
            if self._sending or not self._queue:
                return []
            self._sending = True
            if len(self._queue) <= limit:
                gathered = list(self._queue)
                self._queue.clear()
                self._queued_bytes = 0
            else:
                gathered = [self._queue.popleft() for _ in range(limit)]
                self._queued_bytes -= sum(one.size for one in gathered)
            return gathered

    def end(self) -> None:
        with self._lock:
            self._sending = False
            if not self._queue:
                self._idle.set()
                return
        self.wake()

    def _begin_thread(self) -> None:
        with self._start:
            if self._thread is None:
                atexit.register(self.flush)
                self._thread = threading.Thread(
                    target=self._run, name="realtime-publisher", daemon=True
                )
                self._thread.start()

    def flush(self, timeout_s: float = FLUSH_TIMEOUT_S) -> bool:
        """Wait until everything queued has been sent or given up; False when time ran out.

        In the event loop of the outlet only with 0, which asks; there `drained` waits.
        """
        return self._idle.wait(timeout_s)

    async def drained(self, timeout_s: float = FLUSH_TIMEOUT_S) -> bool:
        """As `flush`, from an event loop."""
        if self._idle.is_set():
            return True
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(None, self.flush, timeout_s)

    def _run(self) -> None:
        uvloop.run(self._serve())

    async def _serve(self) -> None:
        """The thread's loop; it ends with the process."""
        layer = get_channel_layer()
        waiting = self._waiting = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        while True:
            waiting.clear()
            if gathered := self.begin():
                for stream, message in joined(gathered, origin()):
                    await self._send(layer, stream, message)
                self.end()
            else:
                await waiting.wait()

    async def _send(self, layer: Any, stream: str, message: dict[str, Any]) -> None:
        marks, began = mark(stream, message), time.time()
        try:
            with self.breaker.guarding(Exception):
                async with asyncio.timeout(SEND_TIMEOUT_S):
                    await layer.group_send(group_of(stream), message)
        except Exception as error:  # noqa: BLE001 - the layer may fail in any way; a hint may be lost
            self.note_lost(stream, error)
        else:
            self.note_sent(stream, marks, began)

    def note_sent(self, stream: str, marks: Marks, began: float) -> None:
        self.sent += 1
        if marks and (followed := traces()) is not None:
            followed.published(stream, marks, began)

    def note_lost(self, stream: str, error: Exception) -> None:
        if isinstance(error, BreakerOpen):
            self.dropped += 1
            return
        # Not a warning: with no server running, as in a shell, there is nobody to tell. A
        # server's own relay says when the layer is away.
        self.failed += 1
        logger.debug("hint not sent stream=%s error=%r", stream, error)


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


def attach_local_hub(
    events: LocalHub, signals: LocalSignals, loop: asyncio.AbstractEventLoop | None = None
) -> None:
    """Both are called from any thread and must not wait. From `loop`, if given, hints are sent."""
    global _local
    _local = (events, signals)
    if loop is not None and hasattr(type(get_channel_layer()), "group_send_nowait"):
        _publisher.outlet = Outlet(_publisher, get_channel_layer(), loop, origin)


def detach_local_hub() -> None:
    global _local
    _local = None
    if (outlet := _publisher.outlet) is not None:
        outlet.close()


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
    # The other nodes first: one small write, where the own readers may be thousands.
    now = time.time()
    _publisher.put_nowait(Announcement(stream, epoch, tuple(entries), committed_at=now))
    if (local := _local) is not None:
        _hand_over(local[0], stream, epoch, entries)
    for entry in entries:
        PUBLISHED.add(entry.type)


def announce_signal_here(stream: str, after: int, frame: bytes) -> None:
    """As `announce_signal`, to the readers of this node alone."""
    if (local := _local) is not None:
        _hand_over(local[1], stream, after, frame)


def announce_signal(stream: str, after: int, frame: bytes) -> None:
    """As `announce`, for a signal; nodes drop one that they cannot place."""
    _publisher.put_nowait(Announcement(stream, "", (), (after, frame)))
    announce_signal_here(stream, after, frame)


def announce_jobs(cancelled: Sequence[int] = ()) -> None:
    """Hint to workers that jobs wait, or that these running ones are to end. Never waits."""
    _publisher.put_nowait(Announcement(JOBS_GROUP, "", (), jobs=tuple(cancelled)))
