"""The writer of a socket that was handed over: what is written goes straight to the transport.

It has the face of `AsgiWriter` and keeps its rules; there is no task and no queue but the
transport's own buffer.
"""

from collections.abc import Sequence
from typing import Self

from realtime.protocol.batch import Batch, Codec
from realtime.protocol.codes import CloseCode
from realtime.server.frames import text_frame, text_frames
from realtime.server.wire import Wire
from realtime.sockets.liveness import Pings
from realtime.sockets.outlet import unacknowledged
from realtime.sockets.writer import CLOSE_WITHIN_S, LAGGING_BYTES

JOINED_BYTES = 16_384  # a reply up to this size may wait for the end of the loop's turn


class PreparedWriter:
    """Frames of one list go in one write; those of a batch are the same bytes for every socket."""

    __slots__ = ("_allowance", "_moved_at", "_taken", "_wire")

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._allowance = 0
        # Bytes that the peer had taken at the last look; None: it has had them all since.
        self._taken: int | None = None
        self._moved_at: float | None = None  # nobody has looked yet

    @property
    def closed(self) -> bool:
        return self._wire.closed

    @property
    def writable(self) -> bool:
        wire = self._wire
        if not wire.full:
            self._allowance = 0
            return not wire.closed
        return not wire.closed and wire.buffered - self._allowance <= LAGGING_BYTES

    @property
    def buffered(self) -> int:
        return self._wire.buffered

    @property
    def direct(self) -> Self:
        return self

    @property
    def codec(self) -> Codec:
        return text_frames

    @property
    def descriptor(self) -> int:
        descriptor = self._wire.descriptor()
        if descriptor >= 0:
            self._taken = None
        return descriptor

    def finish_nowait(self, rest: memoryview) -> None:
        self._wire.finish(rest)

    def write_nowait(self, frames: Sequence[bytes]) -> None:
        """Write frames; after a close nothing more is taken."""
        codec = self.codec
        data = frames.form(codec) if type(frames) is Batch else codec(frames)
        self._wire.write(data)

    def reply_nowait(self, frame: bytes) -> None:
        """As `write_nowait`; a large reply does not make the socket count as lagging."""
        kept = self._allowance if self._wire.full else 0
        data = text_frame(frame)
        self._allowance = max(kept, len(data))
        if len(data) > JOINED_BYTES:
            self._wire.write(data)
        else:
            self._wire.write_soon(data)

    def close_nowait(self, code: CloseCode, reason: str) -> None:
        """Close after what is written already. The first close wins."""
        self._wire.close(code, reason)

    def stalled_s(self, now: float) -> float:
        """How long the peer has taken nothing while something waited for it; to be asked once a
        second or so. `now` is the loop's time."""
        buffered = self._wire.buffered
        if not buffered or self._wire.closed or self._moved_at is None:
            self._moved_at, self._taken = now, None
            if not buffered:
                # Counted from here on: most sockets are idle, and small numbers take no memory.
                self._wire.written = self._allowance = 0
            return 0.0
        taken = self._wire.written - buffered - unacknowledged(self._wire.transport)
        if self._taken is None or taken > self._taken:
            self._moved_at, self._taken = now, taken
        return now - self._moved_at

    def abandon(self, code: CloseCode, reason: str) -> None:
        """Close the socket of a peer that takes nothing: it gets the close frame behind what the
        transport holds if it wakes within 5 s."""
        self._wire.close(code, reason, within_s=CLOSE_WITHIN_S)

    def ping_when_silent(self, pings: Pings) -> None:
        """To be called once a second. While something waits for the peer, its silence is that of
        `stalled_s`: a pong would stand in line behind all that it is still to take."""
        if self._wire.buffered:
            self._wire.silent = 0
        else:
            self._wire.sweep(pings.ping_after, pings.close_after)

    async def drained(self) -> None:
        """Wait until less than 64 KiB are buffered."""
        await self._wire.room()

    async def finished(self) -> None:
        """Nothing is left to do: what was written is with the transport."""
