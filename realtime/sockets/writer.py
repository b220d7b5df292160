"""One writer, one order: everything that a socket is sent goes through here.

The writer over ASGI `send`. A server that offers prepared frames gets another one with the same
face; nothing else of the connection knows the difference.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from realtime.protocol.codes import CloseCode

LAGGING_BYTES = 262_144  # beyond what the last reply put there
RESUME_BYTES = 65_536
STALLED_S = 30.0
CLOSE_WITHIN_S = 5.0

Send = Callable[[dict[str, Any]], Awaitable[None]]

logger = logging.getLogger(__name__)


def close_message(code: CloseCode, reason: str) -> dict[str, Any]:
    """A plain int for the code: some servers look at its exact type."""
    return {"type": "websocket.close", "code": int(code), "reason": reason}


class AsgiWriter:
    """A queue of frames and, while it is not empty, the task that sends them.

    The queue is bounded by its users: events and signals are only written while `writable`,
    replay pages while `drained`, and commands wait while the socket lags.
    """

    def __init__(self, send: Send, on_stalled: Callable[[], None]) -> None:
        self._send = send
        self._on_stalled = on_stalled
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
            await self._write_queue()
            if self._close is not None:
                (code, reason), self._close = self._close, None
                async with asyncio.timeout(CLOSE_WITHIN_S):
                    await self._send(close_message(code, reason))
        except Exception as error:  # noqa: BLE001 - servers raise their own types for a peer that is gone
            logger.debug("peer gone error=%r", error)
            self._give_up()

    async def _write_queue(self) -> None:
        """Until it is empty; what a peer that takes nothing has waiting is dropped."""
        try:
            async with asyncio.timeout(None) as limit:
                while self._queue:
                    frame = self._queue.popleft()
                    limit.reschedule(asyncio.get_running_loop().time() + STALLED_S)
                    await self._send({"type": "websocket.send", "text": frame.decode()})
                    self._sent(len(frame))
        except TimeoutError:
            self._drop_queue()
            self._on_stalled()  # closes: there is a code to send now

    def _sent(self, size: int) -> None:
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
