"""The transport below an ASGI `send`: what it holds, and how to close it when it is blocked.

ASGI can neither say how much of what was sent the peer has taken, nor close a socket whose buffer
is full: `send` waits. uvicorn's WebSocket protocol, of which `send` is a method, can. This knows
its private names, and so goes with the pinned version.
"""

import fcntl
import sys
import termios
from collections.abc import Awaitable, Callable
from typing import Any

from realtime.protocol.codes import CloseCode

Send = Callable[[dict[str, Any]], Awaitable[None]]


class UvicornOutlet:
    """The sans-I/O WebSocket protocol of uvicorn, after its handshake."""

    __slots__ = ("_protocol",)

    def __init__(self, protocol: Any) -> None:
        self._protocol = protocol

    @property
    def untaken(self) -> int:
        """Bytes that the peer has not taken, 0 when the kernel holds all that there is.

        The kernel is asked for its part: it says that there is room only when a third of its
        buffer (megabytes) is free, and meanwhile a slow peer would look like a silent one.
        """
        transport = self._protocol.transport
        buffered = int(transport.get_write_buffer_size())
        return buffered + unacknowledged(transport) if buffered else 0

    def close(self, code: CloseCode, reason: str, within_s: float) -> None:
        """Append a close frame to what is buffered; if the peer is not gone by then, cut it off."""
        protocol = self._protocol
        if not protocol.close_sent and not protocol.transport.is_closing():
            protocol.conn.send_close(int(code), reason)
            protocol.transport.write(b"".join(protocol.conn.data_to_send()))
            protocol.close_sent = True
        if protocol.close_timer is not None:
            protocol.close_timer.cancel()
        # Its own timer: an answer to the close frame ends it and closes as usual. A mere close()
        # would wait for the peer to take what is buffered, for ever.
        protocol.close_timer = protocol.loop.call_later(within_s, protocol.transport.abort)


def unacknowledged(transport: Any) -> int:
    """Bytes that the kernel holds for the peer, 0 where it does not tell (only Linux does)."""
    connection = transport.get_extra_info("socket")
    try:
        answer = fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, b"\0\0\0\0")
    except (OSError, AttributeError, ValueError):
        return 0
    return int.from_bytes(answer, sys.byteorder)


def outlet_of(send: Send) -> UvicornOutlet | None:
    """None on servers that show none, or have no back-pressure anyway (Daphne)."""
    protocol = getattr(send, "__self__", None)
    names = ("transport", "conn", "loop", "close_sent", "close_timer")
    return UvicornOutlet(protocol) if all(hasattr(protocol, name) for name in names) else None
