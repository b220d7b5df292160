"""One writer, one order: everything that a socket is sent goes through here.

`Writer` is what a connection knows of it; this one writes over ASGI `send`, the one of
`realtime.sockets.prepared` straight to the transport of a socket that was handed over.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from typing import Any, Protocol

from realtime.hub.audience import Direct
from realtime.protocol.codes import CloseCode
from realtime.sockets.liveness import Pings
from realtime.sockets.outlet import Send, outlet_of

LAGGING_BYTES = 262_144  # beyond what the last reply put there
RESUME_BYTES = 65_536
CLOSE_WITHIN_S = 5.0

logger = logging.getLogger(__name__)


def close_message(code: CloseCode, reason: str) -> dict[str, Any]:
    """A plain int for the code: some servers look at its exact type."""
    return {"type": "websocket.close", "code": int(code), "reason": reason}


class Writer(Protocol):
    """No method with `_nowait` ever waits."""

    @property
    def closed(self) -> bool:
        """Whether a close was given, or the peer is gone."""

    @property
    def writable(self) -> bool:
        """False while the socket lags: above 256 KiB wait, beyond what the last reply put there."""

    @property
    def buffered(self) -> int:
        """Bytes that wait for the peer, as far as they are known here."""

    @property
    def direct(self) -> Direct | None:
        """The socket below, where it can be written to past the writer."""

    def write_nowait(self, frames: Sequence[bytes]) -> None: ...

    def reply_nowait(self, frame: bytes) -> None: ...

    def close_nowait(self, code: CloseCode, reason: str) -> None: ...

    def stalled_s(self, now: float) -> float: ...

    def ping_when_silent(self, pings: Pings) -> None: ...

    def abandon(self, code: CloseCode, reason: str) -> None: ...

    async def drained(self) -> None: ...

    async def finished(self) -> None: ...


class AsgiWriter:
    """A queue of frames and, while it is not empty, the task that sends them.

    The queue is bounded by its users: events and signals are only written while `writable`,
    replay pages while `drained`, and commands wait while the socket lags.
    """

    def __init__(self, send: Send) -> None:
        self._send = send
        self._outlet = outlet_of(send)
        self._sent_frames = 0
        self._seen = (0, 0)  # frames sent and bytes untaken, at the last look
        self._moved_at = asyncio.get_running_loop().time()
        self._queue: deque[bytes] = deque()
        self._bytes = 0
        self._allowance = 0
        self._close: tuple[CloseCode, str] | None = None
        self._task: asyncio.Task[None] | None = None
        self._drained: asyncio.Event | None = None
        self.closed = False

    @property
    def writable(self) -> bool:
        return not self.closed and self._bytes - self._allowance <= LAGGING_BYTES

    @property
    def buffered(self) -> int:
        return self._bytes

    @property
    def direct(self) -> None:
        return None

    def write_nowait(self, frames: Sequence[bytes]) -> None:
        """Queue frames; after a close nothing more is taken."""
        if self.closed:
            return
        self._queue.extend(frames)
        self._bytes += sum(map(len, frames))
        self._start()

    def reply_nowait(self, frame: bytes) -> None:
        """As `write_nowait`; a large reply does not make the socket count as lagging."""
        self._allowance = max(self._allowance, len(frame))
        self.write_nowait([frame])

    def close_nowait(self, code: CloseCode, reason: str) -> None:
        """Close after what is queued already. The first close wins."""
        if not self.closed:
            self.closed = True
            self._close = (code, reason)
            self._release()
            self._start()

    def stalled_s(self, now: float) -> float:
        """How long the peer has taken nothing while something waited for it; to be asked once a
        second or so. `now` is the loop's time."""
        untaken = self._outlet.untaken if self._outlet is not None else 0
        sent, before = self._seen
        waiting = bool(untaken) or (self._task is not None and not self._task.done())
        if not waiting or self._sent_frames != sent or untaken < before:
            self._moved_at = now
        self._seen = (self._sent_frames, untaken)
        return now - self._moved_at

    def ping_when_silent(self, pings: Pings) -> None:
        """The server pings by itself."""

    def abandon(self, code: CloseCode, reason: str) -> None:
        """Close over the head of everything queued: the peer takes nothing.

        It gets the close frame behind what the transport holds, if it wakes within 5 s. Where
        the server shows no transport, the frame goes when the server takes it.
        """
        if self._outlet is None:
            self._queue.clear()
            self.close_nowait(code, reason)
            return
        if self._task is not None:
            self._task.cancel()
        self._give_up()
        self._outlet.close(code, reason, CLOSE_WITHIN_S)

    async def drained(self) -> None:
        """Wait until less than 64 KiB are queued."""
        while not self.closed and self._bytes > RESUME_BYTES:
            if self._drained is None:
                self._drained = asyncio.Event()
            await self._drained.wait()

    async def finished(self) -> None:
        """Wait until everything is sent; what takes longer than 5 s is given up."""
        if self._task is not None:
            await asyncio.wait([self._task], timeout=CLOSE_WITHIN_S)
            self._task.cancel()

    def _start(self) -> None:
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._write())

    async def _write(self) -> None:
        try:
            while self._queue:
                frame = self._queue.popleft()
                await self._send({"type": "websocket.send", "text": frame.decode()})
                self._sent(len(frame))
            if self._close is not None:
                (code, reason), self._close = self._close, None
                async with asyncio.timeout(CLOSE_WITHIN_S):
                    await self._send(close_message(code, reason))
        except Exception as error:  # noqa: BLE001 - servers raise their own types for a peer that is gone
            logger.debug("peer gone error=%r", error)
            self._give_up()

    def _sent(self, size: int) -> None:
        self._sent_frames += 1
        self._bytes -= size
        if not self._queue:
            self._bytes = self._allowance = 0
        if self._bytes <= RESUME_BYTES:
            self._release()

    def _give_up(self) -> None:
        self.closed = True
        self._drop_queue()

    def _drop_queue(self) -> None:
        self._queue.clear()
        self._bytes = 0
        self._release()

    def _release(self) -> None:
        """Let go on whoever waits for the queue to drain."""
        if self._drained is not None:
            self._drained.set()
            self._drained = None
